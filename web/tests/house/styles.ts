/** Parses style sheets for classes, colours and custom properties, by regular expressions. */

export function withoutComments(css: string): string {
  return css.replace(/\/\*[\s\S]*?\*\//g, "");
}

/** The classes in the selectors of a sheet. */
export function classesOf(css: string): readonly string[] {
  const selectors = [...css.matchAll(/([^{};]+)\{/g)].map((match) => match[1]?.trim() ?? "");
  return selectors
    .filter((selector) => !selector.startsWith("@"))
    .flatMap((selector) => [...selector.matchAll(/\.(-?[_a-zA-Z][\w-]*)/g)])
    .map((match) => match[1] ?? "");
}

/** The selectors of a sheet, except those in media queries and other at-rules. */
export function selectorsOf(css: string): readonly string[] {
  const always = css.replace(/@[^{};]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}/g, "");
  const lists = [...always.matchAll(/([^{};]+)\{/g)].map((match) => match[1] ?? "");
  return lists
    .flatMap((list) => list.split(/,(?![^(]*\))/))
    .map((selector) => selector.trim().replaceAll(/\s+/g, " "));
}

/** Whether a sheet contains a literal colour. */
export function hasColour({ text }: { text: string }): boolean {
  return /#[0-9a-f]{3,8}\b/i.test(text) || /\b(rgba?|hsla?)\(/.test(text);
}

/** The custom properties that sheets set, and those they use. */
export function tokensOf(css: string): { set: ReadonlySet<string>; read: ReadonlySet<string> } {
  const names = (pattern: RegExp) =>
    new Set([...css.matchAll(pattern)].map((match) => match[1] ?? ""));
  return { set: names(/(--[\w-]+)\s*:/g), read: names(/var\(\s*(--[\w-]+)/g) };
}
