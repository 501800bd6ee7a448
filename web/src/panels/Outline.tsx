/** The document as a tree: for screen readers, and to find a node by name. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronRight } from "lucide-react";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { MODE } from "../document/graph";
import { levelAt } from "../document/levels";
import { selectFrame } from "../state/editing/framing";
import { focusOn } from "../state/editing/keyboardNavigation";
import { connectionsText } from "../state/nodes/naming";
import { type Folds, type OutlineRow, outlineOf, rowStartingWith } from "../state/nodes/outline";
import { problemsAt, runAt } from "../state/outcomes/places";
import { placeOf, useRuns } from "../state/outcomes/runs";
import { sentencesOf } from "../state/outcomes/sentences";
import { canvas } from "../state/session/canvas";
import { type Editor, useEditor } from "../state/session/editor";
import { select, showLevel, useActive, useStudio } from "../state/session/studio";
import { useView } from "../state/session/view";
import { t } from "../words/words";
import { PanelHead } from "./PanelHead";
import "./outline.css";

const ROW = 28;
const PAGE = 10;
const TYPING = 700;

function close(): void {
  useView.setState({ outline: false });
  canvas()?.focus();
}

export function Outline() {
  return (
    <aside className="drawer outline-drawer" aria-label={t("Outline")}>
      <PanelHead title={t("Outline")} onClose={close} />
      <Tree />
    </aside>
  );
}

function useRows() {
  const editor = useEditor();
  const workflow = useActive((tab) => tab.workflow);
  const catalog = useStudio((state) => state.catalog);
  const [folds, setFolds] = useState<Folds>(() => ({
    closed: new Set(),
    // The path to the level on the screen is open from the start.
    opened: new Set(editor.tab.level.map((_, index, all) => all.slice(0, index + 1).join(":"))),
  }));
  const rows = useMemo(() => outlineOf(workflow, catalog, folds), [workflow, catalog, folds]);
  const fold = ({ id, kind }: OutlineRow, open: boolean) => {
    const name = kind === "frame" ? "closed" : "opened";
    setFolds((before) => {
      const next = new Set(before[name]);
      if (open === (name === "opened")) next.add(id);
      else next.delete(id);
      return { ...before, [name]: next };
    });
  };
  return { rows, fold };
}

/** The index of the row whose node is selected on the canvas. */
function useSelectedRow(rows: readonly OutlineRow[]): number {
  const selected = useActive((tab) => [...tab.level, tab.selected[0] ?? ""].join(":"));
  return useMemo(() => rows.findIndex(({ id }) => id === selected), [rows, selected]);
}

/**
 * The rows in view; the row of the node selected on the canvas is scrolled into view and becomes
 * current.
 */
function useDrawn(count: number, selected: number, setAt: (index: number) => void) {
  const box = useRef<HTMLDivElement>(null);
  const tree = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 6,
  });
  useEffect(() => tree.current?.focus(), []);
  const scroll = useRef(list.scrollToIndex);
  scroll.current = list.scrollToIndex;
  useEffect(() => {
    if (selected === -1) return;
    setAt(selected);
    scroll.current(selected);
  }, [selected, setAt]);
  return { box, tree, list };
}

function Tree() {
  const editor = useEditor();
  const { rows, fold } = useRows();
  const selected = useSelectedRow(rows);
  const [at, setAt] = useState(Math.max(0, selected));
  const { box, tree, list } = useDrawn(rows.length, selected, setAt);
  const now = Math.min(at, rows.length - 1);
  const row = rows[now];
  const go = (index: number) => {
    const next = Math.max(0, Math.min(index, rows.length - 1));
    const wanted = rows[next];
    setAt(next);
    list.scrollToIndex(next);
    if (wanted !== undefined) show(editor, wanted);
  };
  const key = useTreeKeys({ rows, now, go, fold });
  const drawn = list.getVirtualItems();
  const active = drawn.some(({ index }) => index === now) ? `outline-${now}` : undefined;
  return (
    <>
      <div ref={box} className="rows">
        <div
          ref={tree}
          role="tree"
          tabIndex={0}
          aria-label={t("Outline")}
          aria-activedescendant={active}
          style={{ height: list.getTotalSize() }}
          onKeyDown={key}
        >
          {drawn.map(({ index, start }) => {
            const each = rows[index];
            return each === undefined ? null : (
              <Item
                key={each.id}
                row={each}
                index={index}
                start={start}
                at={index === now}
                selected={index === selected}
                onGo={() => go(index)}
                onFold={() => fold(each, each.open === false)}
              />
            );
          })}
        </div>
      </div>
      {rows.length === 0 && <p className="quiet">{t("Nothing here yet.")}</p>}
      {row?.kind === "node" && <Wires row={row} />}
    </>
  );
}

interface Walked {
  rows: readonly OutlineRow[];
  now: number;
  go: (index: number) => void;
  fold: (row: OutlineRow, open: boolean) => void;
}

/** The keys of the tree: move, fold, and find a row by its first letters. */
function useTreeKeys({ rows, now, go, fold }: Walked): (event: KeyboardEvent) => void {
  const editor = useEditor();
  const [typed, setTyped] = useState({ text: "", at: 0 });
  const row = rows[now];
  const type = (letter: string) => {
    const time = performance.now();
    const text = time - typed.at < TYPING ? typed.text + letter : letter;
    setTyped({ text, at: time });
    const found = rowStartingWith(rows, text, text.length === 1 ? now + 1 : now);
    if (found !== -1) go(found);
  };
  return (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || row === undefined) return;
    if (event.key === "ArrowDown") go(now + 1);
    else if (event.key === "ArrowUp") go(now - 1);
    else if (event.key === "PageDown") go(now + PAGE);
    else if (event.key === "PageUp") go(now - PAGE);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(rows.length - 1);
    else if (event.key === "ArrowRight" && row.open === false) fold(row, true);
    else if (event.key === "ArrowRight" && row.open === true) go(now + 1);
    else if (event.key === "ArrowLeft" && row.open === true) fold(row, false);
    else if (event.key === "ArrowLeft") go(holderAt(rows, now));
    else if (event.key === "Enter" && row.kind === "node") enter(editor, row);
    else if (event.key === "Escape") close();
    else if (event.key.length === 1 && event.key !== " ") type(event.key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
}

function holderAt(rows: readonly OutlineRow[], from: number): number {
  const level = rows[from]?.level ?? 1;
  for (let index = from - 1; index >= 0; index -= 1) {
    if ((rows[index]?.level ?? 0) < level) return index;
  }
  return from;
}

/** Shows the node or level of a row on the canvas; the focus stays in the outline. */
function show(editor: Editor, { kind, key, path }: OutlineRow): void {
  if (path.join() !== editor.tab.level.join()) showLevel(editor, path);
  if (kind === "frame") selectFrame(editor, key);
  else {
    select(editor, [key]);
    canvas()?.reveal(key);
  }
}

function enter(editor: Editor, row: OutlineRow): void {
  show(editor, row);
  // Another level is rendered only after this.
  requestAnimationFrame(() => focusOn(editor, row.key));
}

/** The state of a node in the run, and its problems. */
function useStateOf({ kind, key, path }: OutlineRow) {
  const tab = useActive((each) => each.id);
  const id = [...path, key].join(":");
  const isNode = kind === "node";
  const run = useRuns((state) =>
    isNode ? runAt(state.nodes, placeOf(tab, id), false) : undefined,
  );
  const isFormer = useRuns((state) => placeOf(tab, id) in state.former);
  const report = useRuns((state) => state.problems[tab]);
  const failure = useRuns((state) => (isNode ? state.failures[placeOf(tab, id)] : undefined));
  const isWrong = isNode && problemsAt(report, id, false) !== undefined;
  const sentences = isWrong && report !== undefined ? (sentencesOf(report).get(id) ?? []) : [];
  const error = failure ?? sentences.join(" ");
  const state = isFormer ? undefined : run?.state;
  return { state: error !== "" || isWrong ? "wrong" : state, error };
}

/**
 * The connections as a sentence: "takes MODEL from Load Checkpoint; gives LATENT to VAE Decode".
 */
function useWires({ kind, key, path }: OutlineRow): string {
  const workflow = useActive((tab) => tab.workflow);
  const catalog = useStudio((state) => state.catalog);
  return useMemo(
    () => (kind === "node" ? connectionsText(levelAt(workflow, path), catalog, key) : ""),
    [workflow, catalog, kind, key, path],
  );
}

/** The mode of a node in words, unless it is the normal one. */
function useMode({ kind, key, path }: OutlineRow): string {
  const mode = useActive(({ workflow }) =>
    kind === "node" ? levelAt(workflow, path).nodes[key]?.mode : undefined,
  );
  if (mode === MODE.muted) return t("muted");
  return mode === MODE.bypassed ? t("bypassed") : "";
}

interface ItemProps {
  row: OutlineRow;
  index: number;
  start: number;
  at: boolean;
  selected: boolean;
  onGo: () => void;
  onFold: () => void;
}

function Item({ row, index, start, at, selected, onGo, onFold }: ItemProps) {
  const { state, error } = useStateOf(row);
  const wires = useWires(row);
  const mode = useMode(row);
  const marks = [row.missing ? t("missing") : "", mode].filter(Boolean);
  const words = [
    row.kind === "frame" ? t("group") : "",
    ...marks,
    state === "running" ? t("running") : "",
    state === "finished" ? t("finished") : "",
    error === "" ? "" : t("error: {{text}}", { text: error }),
    wires,
  ];
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree handles the keys
    <div
      id={`outline-${index}`}
      role="treeitem"
      tabIndex={-1}
      aria-level={row.level}
      aria-posinset={row.place}
      aria-setsize={row.count}
      aria-selected={selected}
      {...(row.open === null ? {} : { "aria-expanded": row.open })}
      aria-description={words.filter(Boolean).join(", ")}
      // Not "frame": that is the class of the frames on the canvas.
      className={["row", row.kind === "frame" && "heading", at && "at", selected && "selected"]
        .filter(Boolean)
        .join(" ")}
      style={{
        transform: `translateY(${start}px)`,
        paddingInlineStart: 8 + (row.level - 1) * 16,
      }}
      onClick={onGo}
    >
      <ChevronRight
        size={12}
        aria-hidden
        className={row.open === null ? "fold none" : row.open ? "fold open" : "fold"}
        onClick={(event) => {
          event.stopPropagation();
          onFold();
        }}
      />
      {(row.missing || row.kind === "node") && (
        <i className={`state ${row.missing ? "missing" : (state ?? "waiting")}`} />
      )}
      <span className="name">{row.title}</span>
      {marks.length > 0 && (
        <span className="mode" aria-hidden>
          {marks.join(", ")}
        </span>
      )}
    </div>
  );
}

/** The connections of the row, as visible text. */
function Wires({ row }: { row: OutlineRow }) {
  const { error } = useStateOf(row);
  const wires = useWires(row);
  const lines = wires === "" ? [t("No wires yet.")] : wires.split("; ");
  return (
    <footer aria-hidden>
      {error !== "" && <p className="wrong">{error}</p>}
      {lines.map((each) => (
        <p key={each}>{each}</p>
      ))}
    </footer>
  );
}
