/**
 * The node library: all nodes by category or by pack, with a search, bookmarks and a preview. A node
 * is dragged to the canvas, or added in its middle by `Enter` or a double click.
 */

import { Plus } from "lucide-react";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { createPortal } from "react-dom";
import type { NodeSchema } from "../api/types";
import { blueprintCatalog, refreshBlueprints, useBlueprints } from "../state/catalog/blueprints";
import { placeNode } from "../state/editing/actions";
import { toggleBookmark } from "../state/finding/bookmarks";
import { type LibraryOrder, type LibraryRow, libraryRows } from "../state/finding/library";
import { freeBelow } from "../state/finding/placing";
import { TITLE, WIDTH } from "../state/nodes/shape";
import { announce } from "../state/outcomes/announcements";
import { canvas } from "../state/session/canvas";
import { type Editor, useEditor } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import { useStudio } from "../state/session/studio";
import { openSheet, useView } from "../state/session/view";
import { t } from "../words/words";
import { LibraryTree } from "./LibraryTree";
import { NodePreview } from "./NodePreview";
import { PanelHead } from "./PanelHead";
import { Star } from "./Star";
import { type Carried, useCarrying } from "./useCarrying";
import "./library.css";

function close(): void {
  useView.setState({ library: false });
  canvas()?.focus();
}

export function Library() {
  const editor = useEditor();
  const [typed, setTyped] = useState("");
  const [order, setOrder] = useState<LibraryOrder>("category");
  const [chosen, setChosen] = useState<NodeSchema | null>(null);
  const tree = useRef<HTMLDivElement>(null);
  const { rows, turn } = useRows(typed, order);
  const { carried, press } = useCarrying();
  const typing = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Escape" && typed === "") close();
    else if (event.key === "Escape") setTyped("");
    else if (event.key === "ArrowDown") tree.current?.focus();
    else if (event.key === "Enter" && rows[0]?.kind === "node")
      addInMiddle(editor, rows[0].found.schema);
    else return;
    event.preventDefault();
  };
  return (
    <aside
      className={carried === null ? "drawer library" : "drawer library carrying"}
      aria-label={t("Node library")}
    >
      <PanelHead title={t("Node library")} onClose={close} />
      <input
        // biome-ignore lint/a11y/noAutofocus: the library was just opened to find a node
        autoFocus
        className="plain"
        type="search"
        aria-label={t("Search nodes")}
        placeholder={t("Search: words, #category, @pack")}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        onKeyDown={typing}
      />
      <Orders order={order} onChoose={setOrder} />
      <LibraryTree
        // A search begins at its first row.
        key={`${typed} ${order}`}
        ref={tree}
        rows={rows}
        onTurn={turn}
        onChoose={setChosen}
        onAdd={(schema) => addInMiddle(editor, schema)}
        onPress={press}
        onLeave={close}
      />
      {rows.length === 0 && <p className="quiet">{t("No node matches.")}</p>}
      {chosen === null ? (
        <p className="chosen quiet">{t("Choose a node to see its sockets and fields.")}</p>
      ) : (
        <Chosen schema={chosen} onPress={press} />
      )}
      {carried !== null && <Ghost {...carried} />}
    </aside>
  );
}

/** The rows, and how to open or close a heading. */
function useRows(typed: string, order: LibraryOrder) {
  const nodes = useStudio((state) => state.catalog);
  const blueprints = useBlueprints((state) => state.all);
  // As they were when the library was opened: rows must not move while nodes are added.
  const [usage] = useState(() => useView.getState());
  const bookmarks = useSetting("calotype.bookmarks");
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => void refreshBlueprints(), []);
  const catalog = useMemo(
    () => (blueprints === null ? nodes : { ...nodes, ...blueprintCatalog(blueprints) }),
    [nodes, blueprints],
  );
  const rows = useMemo(
    () => libraryRows({ catalog, usage, bookmarks, order, typed, turned }),
    [catalog, usage, bookmarks, order, typed, turned],
  );
  const turn = ({ id }: LibraryRow) =>
    setTurned((before) => {
      const next = new Set(before);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  return { rows, turn };
}

function Orders({
  order,
  onChoose,
}: {
  order: LibraryOrder;
  onChoose: (order: LibraryOrder) => void;
}) {
  const names: Readonly<Record<LibraryOrder, string>> = {
    category: t("By category"),
    pack: t("By pack"),
  };
  return (
    <fieldset className="mode-switch" aria-label={t("Order of the nodes")}>
      {(Object.keys(names) as LibraryOrder[]).map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={each === order}
          onClick={() => onChoose(each)}
        >
          {names[each]}
        </button>
      ))}
    </fieldset>
  );
}

interface ChosenProps {
  schema: NodeSchema;
  onPress: ReturnType<typeof useCarrying>["press"];
}

/** The chosen node: drawn like its card, with its description. */
function Chosen({ schema, onPress }: ChosenProps) {
  const editor = useEditor();
  const isMarked = useSetting("calotype.bookmarks").includes(schema.class_type);
  const help = () => {
    useView.setState({ helpOf: schema.class_type });
    openSheet("help");
  };
  return (
    <section className="chosen" aria-label={t("About {{node}}", { node: schema.display_name })}>
      <div className="acts">
        <button type="button" className="plain-button" onClick={() => addInMiddle(editor, schema)}>
          <Plus size={13} aria-hidden /> {t("Add to the graph")}
        </button>
        <button type="button" className="link" onClick={help}>
          {t("Help")}
        </button>
        <button
          type="button"
          className={isMarked ? "ghost on" : "ghost"}
          aria-pressed={isMarked}
          aria-label={t("Bookmark {{node}}", { node: schema.display_name })}
          title={t("Bookmark {{node}}", { node: schema.display_name })}
          onClick={() => toggleBookmark(schema.class_type)}
        >
          <Star filled={isMarked} />
        </button>
      </div>
      <p className="about">{schema.description.split("\n\n")[0]?.replaceAll("`", "")}</p>
      <div className="shelf" onPointerDown={(event) => onPress(event, schema)}>
        <NodePreview schema={schema} />
      </div>
    </section>
  );
}

/** The node at the pointer, in the size that it will have. */
function Ghost({ schema, at, zoom }: Carried) {
  const transform = `translate(${at.x}px, ${at.y}px) scale(${zoom}) translate(-50%, -${TITLE / 2}px)`;
  return createPortal(
    <div className="carried" style={{ transform, inlineSize: WIDTH }}>
      <NodePreview schema={schema} />
    </div>,
    document.body,
  );
}

/** Adds a node in the middle of the part of the canvas that no drawer covers. */
function addInMiddle(editor: Editor, schema: NodeSchema): void {
  const handle = canvas();
  const box = document.querySelector(".canvas")?.getBoundingClientRect();
  if (handle === null || box === undefined) return;
  const covered = document.querySelector(".drawer")?.clientWidth ?? 0;
  const free = box.width - covered > WIDTH ? covered : 0;
  const at = handle.toGraph({
    x: box.left + (box.width + free) / 2,
    y: box.top + box.height / 3,
  });
  const corner = { x: Math.round(at.x - WIDTH / 2), y: Math.round(at.y) };
  const key = placeNode(editor, schema, freeBelow(editor.tab.graph, corner));
  if (key !== "") handle.reveal(key);
  announce(key === "" ? "" : t("Added {{node}}", { node: schema.display_name }));
}
