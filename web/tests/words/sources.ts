/**
 * Extracts the text for users from the editor's sources: the keys passed to `t()`, the English of
 * tables that is translated later, and text that reaches the screen without `t()`.
 */
import { sourcesOf } from "../house/sources";

/** Generated files, the tables of translations, and another program's names of its settings. */
const LEFT_OUT = /^src\/(api\/types\.ts|words\/(english|german)(\.ts|\/.*))$/;

interface Node {
  type: string;
  start: number;
  end: number;
  [part: string]: unknown;
}

interface Found {
  /** Sentences by key; whether they have plural forms. */
  keys: Map<string, { plural: boolean; where: string }>;
  /** Text that does not pass through `t()`, with its place. */
  past: string[];
}

/** Attributes, of our components and of HTML, whose text is shown. */
const SHOWN =
  /^(aria-label|aria-description|aria-roledescription|aria-valuetext|title|data-tip|alt|placeholder|label|hint)$/;
/** Functions whose first argument is shown to the user. */
const NOTIFYING = /^(notify|notifyError|askText|askConfirmation|askChoice|askForName)$/;
/**
 * Text in a table begins with a capital or with a placeholder; names of classes, of headers and of
 * keys do not match.
 */
const WORDS = /^\{\{\w+\}\} \p{Ll}|^\p{Lu}(\p{Ll}[\p{Ll}'’]*(?![\p{L}\d_.+-])|,? \p{L})/u;

export function wordsOfSources(notWords: ReadonlySet<string>): Found {
  const found: Found = { keys: new Map(), past: [] };
  for (const { path, text, parsed } of sourcesOf("src")) {
    if (LEFT_OUT.test(path)) continue;
    new Reader(path, text, found, notWords).read(parsed.program as unknown as Node);
  }
  return found;
}

class Reader {
  constructor(
    private readonly path: string,
    private readonly text: string,
    private readonly found: Found,
    private readonly notWords: ReadonlySet<string>,
  ) {}

  read(node: Node): void {
    switch (node.type) {
      case "ImportDeclaration":
      case "TSTypeAliasDeclaration":
      case "TSInterfaceDeclaration":
      case "TSTypeAnnotation":
      case "TSTypeParameterInstantiation":
        return;
      case "BinaryExpression":
        // Operands of a comparison are not shown.
        for (const each of [node.left, node.right] as Node[]) {
          if (each.type !== "Literal") this.read(each);
        }
        return;
      case "SwitchCase":
        for (const each of node.consequent as Node[]) this.read(each);
        return;
      case "NewExpression":
        // Messages of errors are for developers, unless they go through t().
        if (!/^(Error|DOMException|HttpError|Set|RegExp)$/.test(this.sourceOf(node.callee as Node)))
          break;
        this.translated(node);
        return;
      case "CallExpression":
        if (this.call(node)) return;
        break;
      case "Property":
        // Default keys of commands, and types of nodes.
        if (this.sourceOf(node.key as Node) === "keys") return;
        this.read(node.value as Node);
        return;
      case "JSXText":
        if (/\p{L}/u.test(String(node.value))) this.note(node, String(node.value).trim());
        return;
      case "JSXAttribute":
        this.attribute(node);
        return;
      case "JSXExpressionContainer":
        this.noPast(node.expression as Node);
        break;
      case "Literal":
        if (typeof node.value === "string") this.literal(node, node.value);
        return;
      case "TemplateLiteral":
        this.template(node);
        break;
    }
    for (const each of partsOf(node)) this.read(each);
  }

  /** Reads the calls of `t()` in an expression, and nothing else in it. */
  private translated(node: Node): void {
    if (node.type === "CallExpression" && this.sourceOf(node.callee as Node) === "t") {
      this.call(node);
      return;
    }
    for (const each of partsOf(node)) this.translated(each);
  }

  /** Whether the call is handled completely, so that its parts need not be read. */
  private call(node: Node): boolean {
    const name = this.sourceOf(node.callee as Node);
    const [first, ...others] = node.arguments as Node[];
    if (name !== "t" && name !== "translateMessage" && name !== "labelOf") {
      if (NOTIFYING.test(name) && first !== undefined) this.noPast(first);
      return false;
    }
    if (first !== undefined) this.key(first, others[0]);
    for (const each of others) this.read(each);
    return true;
  }

  /** A literal key, or a choice between two. */
  private key(node: Node, values: Node | undefined): void {
    if (node.type === "ConditionalExpression") {
      this.key(node.consequent as Node, values);
      this.key(node.alternate as Node, values);
    } else if (node.type === "Literal" && typeof node.value === "string") {
      this.keep(node, node.value, values !== undefined && node.value.includes("{{count}}"));
      this.filled(node, node.value, values);
    } else if (node.type === "TemplateLiteral") {
      this.note(node, `t(${this.sourceOf(node)}): a key is written out`);
    }
  }

  /** Reports placeholders of a sentence that get no value. */
  private filled(node: Node, key: string, values: Node | undefined): void {
    if (values !== undefined && values.type !== "ObjectExpression") return;
    const given = ((values?.properties ?? []) as Node[]).map((each) =>
      each.type === "Property" ? this.sourceOf(each.key as Node) : "...",
    );
    const missing = holesOf(key).filter((each) => !given.includes(each));
    if (missing.length > 0 && !given.includes("...")) {
      this.note(node, `${key}: nothing is given for ${missing.join(", ")}`);
    }
  }

  private attribute(node: Node): void {
    const value = node.value as Node | null;
    if (value === null) return;
    const name = this.sourceOf(node.name as Node);
    if (SHOWN.test(name))
      this.noPast(value.type === "JSXExpressionContainer" ? (value.expression as Node) : value);
    else if (value.type === "Literal" || name === "className" || name === "style") return;
    this.read(value.type === "JSXExpressionContainer" ? (value.expression as Node) : value);
  }

  /** Reports words in text that is shown without `t()`. */
  private noPast(node: Node): void {
    if (node.type === "ConditionalExpression") {
      this.noPast(node.consequent as Node);
      this.noPast(node.alternate as Node);
    } else if (node.type === "LogicalExpression") {
      this.noPast(node.right as Node);
    } else if (node.type === "Literal" && typeof node.value === "string") {
      if (/\p{L}{2}/u.test(node.value)) this.note(node, node.value);
    } else if (node.type === "TemplateLiteral") {
      const words = quasisOf(node).join(" ");
      if (/\p{L}{2}/u.test(words)) this.note(node, this.sourceOf(node));
    }
  }

  private literal(node: Node, value: string): void {
    if (WORDS.test(value) && !/\p{Cc}/u.test(value) && !this.notWords.has(value))
      this.keep(node, value, false);
  }

  /** Reports sentences composed by a template, as they must be keys with placeholders. */
  private template(node: Node): void {
    const reads = quasisOf(node).some(
      (each, index) =>
        /\p{Ll}{2} \p{Ll}{2}/u.test(each) || (index === 0 && /^\p{Lu}\p{Ll}+[ :]/u.test(each)),
    );
    const source = this.sourceOf(node);
    if (reads && !this.notWords.has(source)) this.note(node, source);
  }

  private keep(node: Node, key: string, plural: boolean): void {
    const before = this.found.keys.get(key);
    this.found.keys.set(key, {
      plural: plural || before?.plural === true,
      where: before?.where ?? this.placeOf(node),
    });
  }

  private note(node: Node, words: string): void {
    if (!this.notWords.has(words)) this.found.past.push(`${this.placeOf(node)}: ${words}`);
  }

  private placeOf(node: Node): string {
    return `${this.path}:${this.text.slice(0, node.start).split("\n").length}`;
  }

  private sourceOf(node: Node): string {
    return this.text.slice(node.start, node.end);
  }
}

/** The sorted names of a sentence's placeholders. */
export function holesOf(text: string): string[] {
  return [...new Set(Array.from(text.matchAll(/\{\{(\w+)\}\}/g), ([, name]) => name ?? ""))].sort();
}

function quasisOf(node: Node): string[] {
  return (node.quasis as { value: { cooked: string } }[]).map((each) => each.value.cooked);
}

function partsOf(node: Node): Node[] {
  return Object.entries(node).flatMap(([name, part]) =>
    name === "parent" ? [] : (Array.isArray(part) ? part : [part]).filter(isNode),
  );
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}
