/**
 * A curve on a small graph. A press on the line adds a point, dragging moves it. By keyboard the
 * arrows move the focused point, Insert adds one after it and Delete removes it.
 */

import { type KeyboardEvent, type PointerEvent, type RefObject, useRef } from "react";
import { amount } from "../words/format";
import { t } from "../words/words";
import {
  added,
  type Curve,
  curveOf,
  heightAt,
  inCurveFormOf,
  moved,
  removed,
  STRAIGHT,
} from "./curve";
import { usePointerDrag } from "./pointerDrag";
import { Select } from "./Select";

interface Props {
  label: string;
  value: unknown;
  onChange: (value: unknown) => void;
  onDone: () => void;
}

const STEP = 0.01;
const COARSE = 0.1;
const GRID = "M25 0V100M50 0V100M75 0V100M0 25H100M0 50H100M0 75H100";
const SAMPLES = 48;
const FORMS = ["monotone_cubic", "linear"] as const;

export function CurveField({ label, value, onChange, onDone }: Props) {
  const graph = useRef<SVGSVGElement>(null);
  const curve = curveOf(value);
  const say = (next: Curve) => onChange(inCurveFormOf(value, next));
  const pressing = usePressing(graph, curve, say, onDone);
  const key = (event: KeyboardEvent, index: number) => {
    const next = keyed(event, curve, index);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    say(next);
  };
  return (
    <div className="field curve">
      <div className="curve-head">
        <span className="label">{label}</span>
        <Form curve={curve} onChange={say} />
        <button type="button" className="quiet-button" onClick={() => say(straight(curve))}>
          {t("Straight")}
        </button>
      </div>
      <div className="curve-graph">
        <svg
          ref={graph}
          viewBox="0 0 100 100"
          preserveAspectRatio="none"
          aria-hidden="true"
          {...pressing}
        >
          <path className="grid" d={GRID} />
          <path className="line" d={lineOf(curve)} />
        </svg>
        {curve.points.map(([x, y], index) => (
          <button
            // biome-ignore lint/suspicious/noArrayIndexKey: a point is identified by its index
            key={index}
            type="button"
            className="point"
            data-point={index}
            style={{ left: `${x * 100}%`, top: `${(1 - y) * 100}%` }}
            aria-label={t("{{label}}, point {{number}}: {{x}}, {{y}}", {
              label,
              number: index + 1,
              x: amount(x, 2),
              y: amount(y, 2),
            })}
            onKeyDown={(event) => key(event, index)}
            onKeyUp={onDone}
          />
        ))}
      </div>
    </div>
  );
}

/** A press on a point holds it, a press on the line adds one. */
function usePressing(
  graph: RefObject<SVGSVGElement | null>,
  curve: Curve,
  say: (curve: Curve) => void,
  onDone: () => void,
) {
  const placeOf = (event: { clientX: number; clientY: number }): [number, number] => {
    const box = graph.current?.getBoundingClientRect();
    if (box === undefined) return [0, 0];
    return [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
  };
  /** Returns the index of the held point, and the curve before. */
  const begin = (event: PointerEvent<SVGSVGElement>) => {
    const at = placeOf(event);
    const near = curve.points.findIndex(([x, y]) => Math.hypot(x - at[0], y - at[1]) < 0.05);
    if (near >= 0) {
      pointButton(graph.current, near)?.focus();
      return { index: near, before: curve };
    }
    const made = added(curve, at);
    if (made === null) return null;
    say(made.curve);
    return { index: made.index, before: curve };
  };
  return usePointerDrag<{ index: number; before: Curve }, SVGSVGElement>({
    begin,
    move: ({ index }, event) => say(moved(curve, index, placeOf(event))),
    end: onDone,
    cancel: ({ before }) => {
      say(before);
      onDone();
    },
  });
}

function Form({ curve, onChange }: { curve: Curve; onChange: (curve: Curve) => void }) {
  const forms = [...new Set([...FORMS, curve.interpolation])];
  const words: Readonly<Record<string, string>> = {
    monotone_cubic: t("Smooth"),
    linear: t("Straight lines"),
  };
  return (
    <Select
      aria-label={t("Between the points")}
      value={curve.interpolation}
      options={forms.map((each) => [each, words[each] ?? each])}
      onChoose={(interpolation) => onChange({ ...curve, interpolation })}
    />
  );
}

function straight({ interpolation }: Curve): Curve {
  return { ...STRAIGHT, interpolation };
}

function pointButton(graph: Element | null, index: number): HTMLElement | null {
  return graph?.parentElement?.querySelector(`[data-point="${index}"]`) ?? null;
}

function keyed(event: KeyboardEvent, curve: Curve, index: number): Curve | null {
  const [x, y] = curve.points[index] ?? [0, 0];
  const by = event.ctrlKey || event.metaKey ? COARSE : event.shiftKey ? STEP / 10 : STEP;
  switch (event.key) {
    case "ArrowLeft":
      return moved(curve, index, [x - by, y]);
    case "ArrowRight":
      return moved(curve, index, [x + by, y]);
    case "ArrowUp":
      return moved(curve, index, [x, y + by]);
    case "ArrowDown":
      return moved(curve, index, [x, y - by]);
    case "Delete":
    case "Backspace":
      return removed(curve, index);
    case "Insert":
    case "+": {
      const next = curve.points[index + 1];
      const middle = next === undefined ? null : (x + next[0]) / 2;
      return middle === null
        ? null
        : (added(curve, [middle, heightAt(curve, middle)])?.curve ?? null);
    }
    default:
      return null;
  }
}

function lineOf(curve: Curve): string {
  const places = Array.from({ length: SAMPLES + 1 }, (_, index) => index / SAMPLES);
  const all = [...places, ...curve.points.map(([x]) => x)].sort((one, other) => one - other);
  return `M${all.map((x) => `${x * 100} ${100 - heightAt(curve, x) * 100}`).join("L")}`;
}
