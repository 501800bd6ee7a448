/**
 * Connects a node by keyboard: first choose one of its sockets, then one that fits, best and
 * nearest first.
 */

import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useMemo, useRef, useState } from "react";
import { dropPull } from "../state/editing/drop";
import { focusOn } from "../state/editing/keyboardNavigation";
import { newPull, pullEnd, sourceOf, type Target } from "../state/editing/pull";
import { verdictAt } from "../state/editing/verdicts";
import { type Candidate, candidatesFor, socketsAt } from "../state/finding/candidates";
import type { Pulled } from "../state/finding/fitting";
import { freeBelow } from "../state/finding/placing";
import { colourOf, familyOf } from "../state/nodes/kinds";
import { nameIn } from "../state/nodes/naming";
import { boundsOf } from "../state/nodes/shape";
import { nameOf } from "../state/nodes/sockets";
import { canvas } from "../state/session/canvas";
import { type Editor, useEditor } from "../state/session/editor";
import { useActive, useStudio } from "../state/session/studio";
import { type Connecting, useView } from "../state/session/view";
import { Listbox, Option } from "../widgets/Listbox";
import { t } from "../words/words";
import { SearchLine } from "./SearchLine";
import { useClickOutside } from "./useClickOutside";
import "./palette.css";
import "./connect.css";

const ROW = 30;
const BESIDE = 80;
const STEPS: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 10,
  PageUp: -10,
};

interface Line {
  id: string;
  name: string;
  where: string;
  type: string | null;
  take: () => void;
}

export function Connect() {
  const connecting = useView((state) => state.connecting);
  return connecting === null ? null : <Steps key={connecting.node} connecting={connecting} />;
}

function close(): void {
  useView.setState({ connecting: null });
}

function Steps({ connecting: { node, link } }: { connecting: Connecting }) {
  const editor = useEditor();
  const graph = useActive((tab) => tab.graph);
  const catalog = useStudio((state) => state.catalog);
  const [pulled, setPulled] = useState<Pulled | null>(() => sourceOfLink(editor, link));
  const sockets = useMemo(() => socketsAt(graph, catalog, node), [graph, catalog, node]);
  const found = useMemo(
    () => (pulled === null ? [] : candidatesFor(graph, catalog, pulled)),
    [graph, catalog, pulled],
  );
  const title = nameIn(graph, catalog, node);
  if (pulled === null) {
    return (
      <Choice
        key="sockets"
        label={t("Connect {{node}}", { node: title })}
        hint={t("Choose a socket of {{node}}", { node: title })}
        lines={socketLines(sockets, setPulled)}
        onLeave={() => leave(editor, node)}
      />
    );
  }
  const type = nameOf(pulled.type);
  return (
    <Choice
      key="targets"
      label={t("Connect {{node}}", { node: title })}
      hint={
        pulled.side === "output"
          ? t("Choose a target for {{type}} of {{node}}", { type, node: title })
          : t("Choose a source for {{type}} of {{node}}", { type, node: title })
      }
      lines={targetLines(editor, found, pulled, link)}
      onLeave={() => (link === undefined ? setPulled(null) : leave(editor, node))}
    />
  );
}

function socketLines(
  sockets: ReturnType<typeof socketsAt>,
  pull: (from: Pulled) => void,
): readonly Line[] {
  return sockets.map((each) => ({
    id: `${each.side}-${each.socket}`,
    name: each.label,
    where: whereOf(each.side, each.joined),
    type: each.type,
    take: () => pull(each),
  }));
}

/** The sockets that fit, and, unless a wire is being moved, a line for a new node. */
function targetLines(
  editor: Editor,
  found: readonly Candidate[],
  pulled: Pulled,
  link: string | undefined,
): readonly Line[] {
  const lines = found.map(
    (each): Line => ({
      id: `${each.node}-${each.socket}`,
      name: `${each.title} · ${each.label}`,
      where: each.taken === null ? "" : t("disconnects {{node}}", { node: each.taken }),
      type: each.type,
      take: () => connect(editor, pulled, each, link),
    }),
  );
  if (link !== undefined) return lines;
  const take = () => addNew(editor, pulled);
  return [...lines, { id: "new", name: t("New node…"), where: "", type: null, take }];
}

function whereOf(side: Pulled["side"], joined: readonly string[]): string {
  const nodes = joined.join(", ");
  if (side === "output") {
    return nodes === "" ? t("output") : t("output, goes to {{nodes}}", { nodes });
  }
  return nodes === "" ? t("input") : t("input, comes from {{nodes}}", { nodes });
}

/** The output that a wire comes from whose target is being moved. */
function sourceOfLink(editor: Editor, key: string | undefined): Pulled | null {
  const { graph } = editor.tab;
  const link = graph.links[key ?? ""];
  return link === undefined ? null : sourceOf(graph, link);
}

function leave(editor: Editor, node: string): void {
  close();
  focusOn(editor, node);
}

/** Drops on the chosen socket, as the pointer would. */
function connect(
  editor: Editor,
  pulled: Pulled,
  { node, socket }: Candidate,
  link: string | undefined,
): void {
  close();
  const pull = link === undefined ? newPull([pulled]) : pullEnd(editor, link, "input");
  if (pull !== null) {
    const target: Target = { kind: "socket", node, verdict: verdictAt(editor, pull, node, socket) };
    const screen = canvas()?.pointer() ?? { x: 0, y: 0 };
    dropPull(editor, pull, target, { screen, at: screen });
  }
  focusOn(editor, pulled.node);
}

/** Opens the palette as if a wire had been dropped beside the node. */
function addNew(editor: Editor, pulled: Pulled): void {
  close();
  const bounds = boundsOf(editor.tab.graph, [pulled.node]);
  const screen = canvas()?.pointer() ?? { x: 0, y: 0 };
  if (bounds === null) return;
  const x =
    pulled.side === "output" ? bounds.x + bounds.width + BESIDE : bounds.x - bounds.width - BESIDE;
  const at = freeBelow(editor.tab.graph, { x, y: bounds.y });
  useView.setState({ palette: { screen, at, pulled } });
}

interface ChoiceProps {
  label: string;
  hint: string;
  lines: readonly Line[];
  onLeave: () => void;
}

function Choice({ label, hint, lines, onLeave }: ChoiceProps) {
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const shown = useMemo(() => matching(lines, typed), [lines, typed]);
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => list.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  useClickOutside(box, close);
  const key = (event: KeyboardEvent) => {
    event.stopPropagation();
    const step = STEPS[event.key];
    if (step !== undefined) {
      const next = Math.max(0, Math.min(at + step, shown.length - 1));
      setAt(next);
      rows.scrollToIndex(next);
    } else if (event.key === "Enter") shown[at]?.take();
    else if (event.key === "Escape") onLeave();
    else if (event.key !== "Tab") return;
    event.preventDefault();
  };
  const height = rows.getTotalSize();
  const search = (text: string) => {
    setTyped(text);
    setAt(0);
  };
  return (
    <div ref={box} role="dialog" aria-label={label} className="palette connect" onKeyDown={key}>
      <SearchLine
        label={hint}
        placeholder={hint}
        value={typed}
        list="connect-list"
        active={shown[at] && `connect-${at}`}
        onChange={search}
      />
      <div ref={list} className="list">
        <Listbox id="connect-list" label={hint} className="lines" style={{ height }}>
          {rows.getVirtualItems().map(({ index, start }) => (
            <Row
              key={shown[index]?.id ?? index}
              line={shown[index]}
              at={index === at}
              of={shown.length}
              index={index}
              start={start}
              onPoint={() => setAt(index)}
            />
          ))}
        </Listbox>
        {shown.length === 0 && <p className="options-none">{t("No choice matches.")}</p>}
      </div>
    </div>
  );
}

function matching(lines: readonly Line[], typed: string): readonly Line[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return lines;
  return lines.filter(({ name, type }) => {
    const text = `${name} ${type ?? ""}`.toLowerCase();
    return words.every((each) => text.includes(each));
  });
}

interface RowProps {
  line: Line | undefined;
  at: boolean;
  of: number;
  index: number;
  start: number;
  onPoint: () => void;
}

function Row({ line, at, of, index, start, onPoint }: RowProps): ReactNode {
  if (line === undefined) return null;
  return (
    <Option
      id={`connect-${index}`}
      at={at}
      virtual
      index={index}
      count={of}
      style={{ transform: `translateY(${start}px)` }}
      onPoint={onPoint}
      onChoose={line.take}
    >
      {line.type !== null && (
        <i
          className={`sample ${familyOf(line.type)}`}
          style={{ "--colour": colourOf(line.type) } as React.CSSProperties}
        />
      )}
      <span className="name">{line.name}</span>
      {line.where !== "" && <span className="detail">{line.where}</span>}
      {line.type !== null && <span className="detail kind">{nameOf(line.type)}</span>}
    </Option>
  );
}
