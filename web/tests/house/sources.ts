/**
 * The editor's parsed source files, for tests of its architecture: syntax and resolved imports. The
 * rules are in the tests.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { type ESTree, parseSync, Visitor } from "vite";

const WEB = resolve(import.meta.dirname, "../..");

export interface Source {
  /** The path below web/, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly parsed: ReturnType<typeof parseSync>;
}

interface Imported {
  /** The path of the imported file, below web/. */
  readonly to: string;
  /** The imported names, or everything ("*"). */
  readonly names: readonly string[];
  /** Whether it is a type-only import, without effect at run time. */
  readonly types: boolean;
  /** Whether it is a dynamic `import()`. */
  readonly lazy: boolean;
}

/** The sorted paths of a folder's files below web/ that match this pattern. */
export function filesOf(folder: string, ending: RegExp): readonly string[] {
  return readdirSync(join(WEB, folder), { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name).replaceAll("\\", "/"))
    .filter((path) => ending.test(path))
    .sort();
}

export function textOf(path: string): string {
  return readFileSync(join(WEB, path), "utf8");
}

/** The TypeScript files of a folder below web/. */
export function sourcesOf(folder: string): readonly Source[] {
  return filesOf(folder, /\.tsx?$/).map((path) => {
    const text = textOf(path);
    const parsed = parseSync(path, text);
    if (parsed.errors.length > 0)
      throw new Error(`${path}: ${parsed.errors[0]?.message ?? "unreadable"}`);
    return { path, text, parsed };
  });
}

/** The number of lines that a span covers. */
export function linesOf(text: string, span: { start: number; end: number }): number {
  return text.slice(span.start, span.end).split("\n").length;
}

type Function = ESTree.Function | ESTree.ArrowFunctionExpression;

/**
 * Every function of a file longer than `most` lines, with its position. Functions passed to
 * `describe` are left out, as they only group tests.
 */
export function longFunctions(source: Source, most: number): readonly string[] {
  const found = new Map<number, string>();
  const headings: number[] = [];
  const measure = (node: Function) => {
    const lines = linesOf(source.text, node);
    const line = linesOf(source.text, { start: 0, end: node.start });
    if (lines > most) found.set(node.start, `${source.path}:${line} has ${lines} lines`);
  };
  new Visitor({
    FunctionDeclaration: measure,
    FunctionExpression: measure,
    ArrowFunctionExpression: measure,
    // biome-ignore lint/correctness/noComponentHookFactories: a kind of syntax, no component
    CallExpression: ({ callee, arguments: given }) => {
      const called = source.text.slice(callee.start, callee.end);
      if (/^describe\b/.test(called)) headings.push(...given.map((each) => each.start));
    },
  }).visit(source.parsed.program);
  for (const each of headings) found.delete(each);
  return [...found.values()];
}

/** The file that a relative import resolves to, or null for a package. */
function target(from: string, request: string): string | null {
  if (!request.startsWith(".")) return null;
  const plain = join(WEB, dirname(from), request.replace(/\?.*$/, ""));
  const found = [plain, `${plain}.ts`, `${plain}.tsx`].find(
    (path) => existsSync(path) && /\.\w+$/.test(path),
  );
  if (found === undefined) throw new Error(`${from} imports ${request}, which is not there`);
  return relative(WEB, found).replaceAll("\\", "/");
}

/** A file's imports from other files of ours. */
export function importsOf(source: Source): readonly Imported[] {
  const found: Imported[] = [];
  const { staticImports, staticExports, dynamicImports } = source.parsed.module;
  for (const each of staticImports) {
    const to = target(source.path, each.moduleRequest.value);
    if (to === null) continue;
    const names = each.entries.map((entry) => entry.importName.name ?? "*");
    const types = each.entries.length > 0 && each.entries.every((entry) => entry.isType);
    found.push({ to, names, types, lazy: false });
  }
  for (const entry of staticExports.flatMap((each) => each.entries)) {
    const to = entry.moduleRequest && target(source.path, entry.moduleRequest.value);
    if (to)
      found.push({ to, names: [entry.importName.name ?? "*"], types: entry.isType, lazy: false });
  }
  for (const each of dynamicImports) {
    const said = source.text.slice(each.moduleRequest.start, each.moduleRequest.end);
    const to = /^["']/.test(said) ? target(source.path, said.slice(1, -1)) : null;
    if (to !== null) found.push({ to, names: ["*"], types: false, lazy: true });
  }
  return found;
}

/** The names that a file exports. */
export function exportsOf(source: Source): readonly string[] {
  return source.parsed.module.staticExports
    .flatMap((each) => each.entries)
    .map(
      (entry) => entry.exportName.name ?? (entry.exportName.kind === "Default" ? "default" : "*"),
    );
}

/**
 * Calls of these functions that need not run at once: after an `await` of the same function, or in
 * a function passed to `then`, `catch`, `finally` or a timer. Each as "file:line name".
 */
export function lateCalls(source: Source, names: ReadonlySet<string>): readonly string[] {
  const found: string[] = [];
  const late: { start: number; end: number }[] = [];
  const calls: { name: string; start: number }[] = [];
  const awaits: number[] = [];
  const functions: { start: number; end: number }[] = [];
  const note = (node: Function) => {
    functions.push(node);
  };
  new Visitor({
    FunctionDeclaration: note,
    FunctionExpression: note,
    ArrowFunctionExpression: note,
    // biome-ignore lint/correctness/noComponentHookFactories: a kind of syntax, no component
    AwaitExpression: (node) => {
      awaits.push(node.end);
    },
    // biome-ignore lint/correctness/noComponentHookFactories: a kind of syntax, no component
    CallExpression: ({ callee, arguments: given, start }) => {
      const called = source.text.slice(callee.start, callee.end);
      if (names.has(called)) calls.push({ name: called, start });
      if (/(\.(then|catch|finally)|^setTimeout|^setInterval)$/.test(called)) late.push(...given);
    },
  }).visit(source.parsed.program);
  const holderOf = (at: number) =>
    functions
      .filter(({ start, end }) => start < at && at < end)
      .sort((one, other) => other.start - one.start)[0];
  for (const { name, start } of calls) {
    const holder = holderOf(start);
    const isAfter = awaits.some((at) => at <= start && holderOf(at - 1) === holder);
    const isPassed = late.some((each) => each.start <= start && start < each.end);
    if (!isAfter && !isPassed) continue;
    found.push(`${source.path}:${linesOf(source.text, { start: 0, end: start })} ${name}`);
  }
  return found;
}
