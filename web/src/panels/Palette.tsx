/**
 * The node palette: adds a node or replaces one, found by a few letters of its name or by category.
 */

import { Search } from "lucide-react";
import {
  type KeyboardEvent,
  type ReactNode,
  type RefObject,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import type { NodeSchema } from "../api/types";
import { blueprintCatalog, refreshBlueprints, useBlueprints } from "../state/catalog/blueprints";
import { placeNode } from "../state/editing/actions";
import { addIntoWire } from "../state/editing/connecting";
import { setTabAddsNode } from "../state/editing/keyboardNavigation";
import { type Offer, offersOf, parentOf } from "../state/editing/offers";
import { lossOf, planOf, replaceNodes } from "../state/editing/replacing";
import { socketsFor } from "../state/finding/fitting";
import { completed, completions } from "../state/finding/query";
import { titleOf } from "../state/nodes/naming";
import { nameOf } from "../state/nodes/sockets";
import { type Editor, useEditor } from "../state/session/editor";
import { schemaOf, useActive, useStudio } from "../state/session/studio";
import { openSheet, type Palette as PaletteValue, useView } from "../state/session/view";
import { t } from "../words/words";
import { NodeAbout } from "./NodeAbout";
import { idOf, Legend, OfferList } from "./OfferList";
import { useClickOutside } from "./useClickOutside";
import { useRestoreFocus } from "./useRestoreFocus";
import "./palette.css";
import { shownKey } from "../state/commands/keymap";

const WIDTH = 720;
const HEIGHT = 460;
const STEPS: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 10,
  PageUp: -10,
};

export function Palette() {
  const palette = useView((state) => state.palette);
  return palette === null ? null : <Open palette={palette} />;
}

function useOffers(palette: PaletteValue, typed: string, path: string | null) {
  const editor = useEditor();
  const nodes = useStudio((state) => state.catalog);
  const blueprints = useBlueprints((state) => state.all);
  useEffect(() => void refreshBlueprints(), []);
  const catalog = useMemo(
    () => (blueprints === null ? nodes : { ...nodes, ...blueprintCatalog(blueprints) }),
    [nodes, blueprints],
  );
  const graph = useActive((tab) => tab.graph);
  const used = useView((state) => state.used);
  const recent = useView((state) => state.recent);
  return useMemo(
    () => offersOf(editor, { catalog, graph, usage: { used, recent }, palette, typed, path }),
    [catalog, graph, used, recent, palette, typed, path, editor],
  );
}

interface JoinedSockets {
  sockets: readonly string[];
  /** The socket to join now. */
  socket: string | undefined;
}

/** The sockets of a node that a pulled wire could join. */
function joinedBy(
  schema: NodeSchema | undefined,
  { pulled }: PaletteValue,
  turn: number,
): JoinedSockets {
  const sockets = pulled === null || schema === undefined ? [] : socketsFor(schema, pulled);
  return { sockets, socket: sockets[turn % Math.max(sockets.length, 1)] };
}

/** The state of the palette (text, category, highlighted node) and its actions. */
function useChoosing(palette: PaletteValue, input: RefObject<HTMLInputElement | null>) {
  const editor = useEditor();
  const catalog = useStudio((state) => state.catalog);
  const [typed, setTyped] = useState("");
  const [path, setPath] = useState<string | null>(null);
  const [at, setAt] = useState(0);
  const [turn, setTurn] = useState(0);
  const [count, setCount] = useState(0);
  const groups = useOffers(palette, typed, path);
  const offers = useMemo(() => groups.flatMap((each) => each.offers), [groups]);
  const chosen = offers[at];
  const schema = chosen?.kind === "node" ? chosen.found.schema : undefined;
  const found = joinedBy(schema, palette, turn);
  const hints = useMemo(() => completions(catalog, typed), [catalog, typed]);
  const choose = (index: number) => {
    setAt(index);
    setTurn(0);
  };
  const type = (text: string) => {
    setTyped(text);
    setPath(null);
    choose(0);
    input.current?.focus();
  };
  const enter = (next: string | null) => {
    setPath(next);
    choose(0);
  };
  const take = (offer: Offer | undefined, stay: boolean) => {
    if (offer === undefined) return;
    if (offer.kind === "category") {
      enter(offer.path);
      return;
    }
    const { schema: wanted } = offer.found;
    if (!stay) close();
    putDown(editor, wanted, palette, count, found.socket);
    setCount(count + 1);
  };
  const turnBy = (steps: number) => setTurn(turn + steps);
  return {
    typed,
    path,
    at,
    groups,
    offers,
    chosen,
    schema,
    found,
    hints,
    choose,
    type,
    enter,
    take,
    turnBy,
  };
}

type Choosing = ReturnType<typeof useChoosing>;

/** Handles the palette's keys, whatever in it has the focus. */
function handleKey(event: KeyboardEvent, choosing: Choosing, palette: PaletteValue): void {
  const { typed, path, at, offers, chosen, schema, hints } = choosing;
  const { choose, type, enter, take, turnBy } = choosing;
  const { sockets } = choosing.found;
  event.stopPropagation();
  const isBlank = typed === "";
  const step = STEPS[event.key];
  if (step !== undefined) choose(Math.max(0, Math.min(at + step, offers.length - 1)));
  else if (event.key === "F1" && schema !== undefined) showHelp(schema.class_type);
  else if (event.key === "Enter") take(chosen, event.shiftKey && palette.replaces === undefined);
  else if (event.key === "ArrowRight" && isBlank && chosen?.kind === "category") take(chosen, true);
  else if ((event.key === "ArrowLeft" || event.key === "Backspace") && isBlank && path !== null) {
    enter(path.includes("/") ? parentOf(path) : null);
  } else if (event.key === "Tab" && hints[0] !== undefined) type(completed(typed, hints[0]));
  else if (event.key === "Tab" && sockets.length > 1) {
    turnBy(event.shiftKey ? sockets.length - 1 : 1);
  } else if (event.key === "Escape" || event.key === "Tab") {
    // The user may be moving through the page with Tab: it opens no palette until a node is added.
    setTabAddsNode(false);
    close();
  } else return;
  event.preventDefault();
}

function Open({ palette }: { palette: PaletteValue }) {
  const editor = useEditor();
  const box = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const choosing = useChoosing(palette, input);
  const { typed, at, groups, chosen, schema, found, hints, choose, type, take } = choosing;
  useClickOutside(box, close);
  useRestoreFocus();
  const left = Math.max(8, Math.min(palette.screen.x, window.innerWidth - WIDTH - 8));
  const top = Math.max(8, Math.min(palette.screen.y, window.innerHeight - HEIGHT - 8));
  return (
    <div
      ref={box}
      role="dialog"
      aria-label={palette.replaces === undefined ? t("Add a node") : t("Replace the node")}
      className="palette"
      style={{ left, top, width: WIDTH, height: HEIGHT }}
      onKeyDown={(event) => handleKey(event, choosing, palette)}
    >
      <Typing
        ref={input}
        palette={palette}
        typed={typed}
        active={chosen && idOf(chosen)}
        onType={type}
      >
        {schema !== undefined && <Joins schema={schema} palette={palette} found={found} />}
      </Typing>
      <Hints hints={hints} typed={typed} onType={type} />
      <div className="columns">
        <OfferList
          groups={groups}
          at={at}
          nothing={nothingText(palette)}
          onPoint={choose}
          onTake={(offer, event) => take(offer, event.shiftKey)}
        />
        {schema !== undefined && (
          <NodeAbout
            schema={schema}
            joined={found.socket ?? null}
            side={palette.pulled?.side ?? null}
            onHelp={() => showHelp(schema.class_type)}
            loss={lossIn(editor, palette, schema.class_type)}
          />
        )}
      </div>
      <Legend
        replaces={palette.replaces !== undefined}
        onPick={(sign) => type(`${typed === "" ? "" : `${typed.trimEnd()} `}${sign}`)}
      />
    </div>
  );
}

/** Adds the chosen node: in another's place, into a wire, or at the palette's place. */
function putDown(
  editor: Editor,
  wanted: NodeSchema,
  palette: PaletteValue,
  count: number,
  socket: string | undefined,
): void {
  // Users often add several nodes in a row.
  setTabAddsNode(true);
  if (palette.replaces !== undefined) replaceNodes(editor, palette.replaces, wanted);
  else if (palette.into !== undefined) addIntoWire(editor, wanted, palette.into, palette.at);
  else {
    // Nodes added in a row are offset from each other, and only the first one is joined to the
    // wire.
    const place = { x: palette.at.x + count * 32, y: palette.at.y + count * 32 };
    placeNode(
      editor,
      wanted,
      place,
      count === 0 ? palette.pulled : null,
      count === 0 ? socket : undefined,
    );
  }
}

interface TypingProps {
  ref: RefObject<HTMLInputElement | null>;
  palette: PaletteValue;
  typed: string;
  active: string | undefined;
  onType: (text: string) => void;
  children: ReactNode;
}

function Typing({ ref, palette, typed, active, onType, children }: TypingProps) {
  const editor = useEditor();
  return (
    <div className="search">
      <Search size={15} aria-hidden />
      <input
        ref={ref}
        role="combobox"
        aria-expanded
        aria-controls="palette-list"
        aria-autocomplete="list"
        aria-activedescendant={active}
        // biome-ignore lint/a11y/noAutofocus: the palette was just opened to type into it
        autoFocus
        aria-label={t("Name of a node")}
        placeholder={placeholderOf(editor, palette)}
        value={typed}
        onChange={(event) => onType(event.currentTarget.value)}
      />
      {children}
    </div>
  );
}

interface JoinsProps {
  schema: NodeSchema;
  palette: PaletteValue;
  found: JoinedSockets;
}

/** The socket that a pulled wire would join. */
function Joins({ schema, palette: { pulled }, found: { socket, sockets } }: JoinsProps) {
  if (socket === undefined || pulled === null) return null;
  return (
    <span className="joins" aria-live="polite">
      {pulled.side === "output"
        ? t("connects to {{socket}}", { socket })
        : t("connects from {{socket}}", { socket: schema.outputs[Number(socket)]?.name ?? "" })}
      {sockets.length > 1 && <kbd>{shownKey("Tab")}</kbd>}
    </span>
  );
}

interface HintsProps {
  hints: readonly string[];
  typed: string;
  onType: (text: string) => void;
}

/** Suggested filters and words to append to the typed text. */
function Hints({ hints, typed, onType }: HintsProps) {
  if (hints.length === 0) return null;
  return (
    <div className="hints">
      {hints.map((each, index) => (
        <button
          key={each}
          type="button"
          tabIndex={-1}
          onClick={() => onType(completed(typed, each))}
        >
          {each}
          {index === 0 && <kbd>{shownKey("Tab")}</kbd>}
        </button>
      ))}
    </div>
  );
}

function close(): void {
  useView.setState({ palette: null });
}

function showHelp(type: string): void {
  useView.setState({ helpOf: type });
  openSheet("help");
}

function placeholderOf(editor: Editor, { pulled, into, replaces }: PaletteValue): string {
  if (replaces !== undefined) {
    const { graph } = editor.tab;
    const node = graph.nodes[replaces[0] ?? ""];
    const title = node === undefined ? "" : titleOf(node, schemaOf(node.type));
    return t("Replace {{title}} with…", { title });
  }
  if (into !== undefined) return t("Insert into the wire");
  if (pulled === null) return t("Add a node");
  const type = nameOf(pulled.type);
  return pulled.side === "output"
    ? t("Nodes that take {{type}}", { type })
    : t("Nodes that output {{type}}", { type });
}

function nothingText({ pulled, into }: PaletteValue): string {
  if (into !== undefined) return t("No node of this name fits into the wire.");
  if (pulled !== null) return t("No node of this name fits the wire.");
  return t("No node matches.");
}

function lossIn(
  editor: Editor,
  { replaces }: PaletteValue,
  type: string,
): string | null | undefined {
  const { graph } = editor.tab;
  const old = graph.nodes[replaces?.[0] ?? ""];
  const schema = schemaOf(type);
  if (old === undefined || schema === undefined) return undefined;
  return lossOf(graph, old, planOf(graph, old, schema));
}
