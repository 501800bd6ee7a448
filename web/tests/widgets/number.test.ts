/** Parsing of typed numbers and sums, and steps of number fields. */
import { describe, expect, test, vi } from "vitest";
import { evaluateSum } from "../../src/widgets/arithmetic";
import { limitOf, stepped, typedNumber, valueAt } from "../../src/widgets/number";
import { setLanguage } from "../../src/words/words";

describe("sums", () => {
  test.each([
    ["512*2", 1024n],
    ["(1024-64)/8", 120],
    ["2^10", 1024],
    ["2**3", 8],
    ["2^3^2", 512],
    ["-5+3", -2n],
    ["-(2+3)", -5n],
    ["1,5*2", 3],
    [".5", 0.5],
    ["1e3", 1000],
    ["18446744073709551615-1", 18446744073709551614n],
    ["7%4", 3],
  ])("%s is %s", (typed, expected) => {
    expect(evaluateSum(typed, 0)).toBe(expected);
  });

  test.each(["", "wide", "1/0", "2*", "(2", "2)", "1 2", "()"])("%s is none", (typed) => {
    expect(evaluateSum(typed, 0)).toBeNull();
  });

  test.each([
    ["1,000", 1000],
    ["1,000,000", 1_000_000],
    ["1 000", 1000],
    ["1\u202f000", 1000],
    ["1'000", 1000],
    ["1_000", 1000],
    ["1,000.5", 1000.5],
    ["1.000,5", 1000.5],
    ["1.000.000", 1_000_000],
    ["2*1,024", 2048],
    ["0,125", 0.125],
    ["1,25", 1.25],
    ["1.000", 1],
    ["\uff11\uff12\uff13", 123],
    ["\uff11\uff0e\uff15", 1.5],
    ["\uff08\uff11\uff0b\uff12\uff09\uff0a\uff13", 9],
    ["\u2212\uff15", -5],
    ["512 \u00d7 2", 1024],
    ["1\u30020", 1],
    ["\u0663\u0665", 35],
    ["\u0967\u0968", 12],
  ])("%s is %s, however it is written", (typed, expected) => {
    expect(Number(evaluateSum(typed, 0, true))).toBe(expected);
  });

  test.each(["1,00,0", "1,000.5,5", "1.5.3", "1,,5", "1 00"])("%s is none", (typed) => {
    expect(evaluateSum(typed, 0)).toBeNull();
  });

  test("mean in German what they mean there", async () => {
    vi.stubGlobal("document", { documentElement: {} });
    await setLanguage("de");
    expect(evaluateSum("1.000", 0, true)).toBe(1000n);
    expect(evaluateSum("1.5", 0)).toBe(1.5);
    expect(evaluateSum("1,125", 0)).toBe(1.125);
    expect(evaluateSum("1.250,5", 0)).toBe(1250.5);
    await setLanguage("en");
    expect(evaluateSum("1,125", 0)).toBe(1125n);
    vi.unstubAllGlobals();
  });

  test("go on from what is there", () => {
    expect(evaluateSum("*2", 512)).toBe(1024n);
    expect(evaluateSum("/2", 512)).toBe(256);
    expect(evaluateSum("+=10", 18446744073709551600n)).toBe(18446744073709551610n);
    expect(evaluateSum("-=0.5", 2)).toBe(1.5);
  });
});

describe("numbers", () => {
  const whole = { min: 0, max: 100, step: 8, whole: true };
  const float = { min: 0, max: 1, step: 0.05, whole: false, round: 0.01 };

  test("go finely and coarsely", () => {
    expect(stepped(16, 1, whole)).toBe(24);
    expect(stepped(16, 1, whole, "fine")).toBe(17);
    expect(stepped(16, 1, whole, "coarse")).toBe(96);
    expect(stepped(0.5, 1, float, "coarse")).toBe(1);
    expect(stepped(0.5, 1, { ...float, round: 0 }, "fine")).toBe(0.505);
  });

  test("go on from near a value that a file broke", () => {
    const step = { ...whole, step: 1 };
    expect(stepped(20.5, 1, step)).toBe(22);
    expect(stepped(Number.POSITIVE_INFINITY, 1, step)).toBe(1);
    expect(stepped(Number.NaN, -1, { ...step, min: -5 })).toBe(-1);
    expect(stepped(16, 0.4, step)).toBe(16);
  });

  test("say which limit they do not keep to", () => {
    expect(limitOf("101", whole)).toBe("too large");
    expect(limitOf("-1", whole)).toBe("too small");
    expect(limitOf("1.5", whole)).toBe("rounded");
    expect(limitOf("many", whole)).toBe("no number");
    expect(limitOf("0.123", float)).toBe("rounded");
    expect(limitOf("0.12", float)).toBeNull();
    expect(typedNumber("0.128", float)).toBe(0.13);
  });

  test("lie on a step wherever a bar is pressed", () => {
    expect(valueAt(0.52, float)).toBe(0.5);
    expect(valueAt(2, float)).toBe(1);
    expect(valueAt(0, float)).toBe(0);
  });
});
