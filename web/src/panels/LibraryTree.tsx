/** The tree of the node library. Only the rows in view are built. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronRight } from "lucide-react";
import {
  type KeyboardEvent,
  type PointerEvent,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import type { NodeSchema } from "../api/types";
import { isBookmarked, toggleBookmark } from "../state/finding/bookmarks";
import {
  headingAbove,
  type LibraryHeading,
  type LibraryNode,
  type LibraryRow,
} from "../state/finding/library";
import { packOf } from "../state/finding/query";
import { useSetting } from "../state/session/settings";
import { t } from "../words/words";
import { Marked } from "./Marked";
import { Star } from "./Star";

const ROW = 28;
const PAGE = 10;

interface TreeProps {
  ref: RefObject<HTMLDivElement | null>;
  rows: readonly LibraryRow[];
  /** Opens or closes a heading. */
  onTurn: (row: LibraryHeading) => void;
  onChoose: (schema: NodeSchema | null) => void;
  onAdd: (schema: NodeSchema) => void;
  onPress: (event: PointerEvent, schema: NodeSchema) => void;
  onLeave: () => void;
}

export function LibraryTree({ ref, rows, ...acts }: TreeProps) {
  const box = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<string | null>(null);
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 6,
  });
  // By id: rows that come above, as a bookmark does, must not change which one is current.
  const now = Math.max(
    0,
    rows.findIndex((each) => each.id === at),
  );
  useSteady(box, now, at);
  const row = rows[now];
  const shown = row?.kind === "node" ? row.found.schema : null;
  const { onChoose } = acts;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another node is told
  useEffect(() => onChoose(shown), [shown]);
  useInView(box, now);
  const go = (index: number) => {
    const next = Math.max(0, Math.min(index, rows.length - 1));
    setAt(rows[next]?.id ?? null);
    list.scrollToIndex(next);
  };
  const drawn = list.getVirtualItems();
  const isDrawn = drawn.some(({ index }) => index === now);
  return (
    <div ref={box} className="rows">
      <div
        ref={ref}
        role="tree"
        tabIndex={0}
        aria-label={t("Nodes")}
        aria-activedescendant={isDrawn ? `library-${now}` : undefined}
        style={{ height: list.getTotalSize() }}
        onKeyDown={(event) => handleKey(event, rows, now, { ...acts, go })}
      >
        {drawn.map(({ index, start }) => {
          const each = rows[index];
          if (each === undefined) return null;
          return (
            <Row
              key={each.id}
              row={each}
              index={index}
              start={start}
              at={index === now}
              onGo={() => setAt(each.id)}
              {...acts}
            />
          );
        })}
      </div>
    </div>
  );
}

/** Keeps the current row where it is on the screen when rows come or go above it. */
function useSteady(box: RefObject<HTMLDivElement | null>, index: number, id: string | null): void {
  const before = useRef({ index, id });
  useLayoutEffect(() => {
    const moved = before.current.id === id ? index - before.current.index : 0;
    before.current = { index, id };
    if (moved !== 0) box.current?.scrollBy(0, moved * ROW);
  }, [box, index, id]);
}

/** On a touch screen the preview of the chosen row takes its room only now, maybe that of the row. */
function useInView(box: RefObject<HTMLDivElement | null>, index: number): void {
  const row = useRef(index);
  row.current = index;
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    let height = element.clientHeight;
    const watch = new ResizeObserver(() => {
      const hidden = (row.current + 1) * ROW - element.scrollTop - element.clientHeight;
      if (element.clientHeight < height && hidden > 0) element.scrollBy(0, hidden);
      height = element.clientHeight;
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, [box]);
}

type Acts = Pick<TreeProps, "onTurn" | "onAdd" | "onLeave"> & { go: (index: number) => void };

function handleKey(
  event: KeyboardEvent,
  rows: readonly LibraryRow[],
  now: number,
  { go, onTurn, onAdd, onLeave }: Acts,
): void {
  const row = rows[now];
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const isHeading = row?.kind === "heading";
  if (event.key === "Escape") onLeave();
  else if (event.key === "ArrowDown") go(now + 1);
  else if (event.key === "ArrowUp") go(now - 1);
  else if (event.key === "PageDown") go(now + PAGE);
  else if (event.key === "PageUp") go(now - PAGE);
  else if (event.key === "Home") go(0);
  else if (event.key === "End") go(rows.length - 1);
  else if (event.key === "ArrowRight" && isHeading) row.open ? go(now + 1) : onTurn(row);
  else if (event.key === "ArrowLeft" && isHeading && row.open) onTurn(row);
  else if (event.key === "ArrowLeft") go(headingAbove(rows, now));
  else if (event.key === "Enter" && isHeading) onTurn(row);
  else if (event.key === "Enter" && row?.kind === "node") onAdd(row.found.schema);
  else if (event.key === " " && row?.kind === "node") toggleBookmark(row.found.schema.class_type);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

interface RowProps extends Omit<TreeProps, "ref" | "rows" | "onChoose" | "onLeave"> {
  row: LibraryRow;
  index: number;
  start: number;
  at: boolean;
  onGo: () => void;
}

function Row({ row, index, start, at, onGo, onTurn, onAdd, onPress }: RowProps) {
  const isNode = row.kind === "node";
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree handles the keys
    <div
      id={`library-${index}`}
      role="treeitem"
      tabIndex={-1}
      aria-level={row.level}
      aria-posinset={row.place}
      aria-setsize={row.siblings}
      aria-selected={at}
      {...(isNode ? {} : { "aria-expanded": row.open })}
      aria-description={isNode ? wordsOf(row) : t("{{count}} nodes", { count: row.count })}
      className={["row", row.kind, at && "at"].filter(Boolean).join(" ")}
      style={{ transform: `translateY(${start}px)`, paddingInlineStart: 8 + (row.level - 1) * 14 }}
      onClick={() => {
        onGo();
        if (!isNode) onTurn(row);
      }}
      onDoubleClick={() => isNode && onAdd(row.found.schema)}
      onPointerDown={(event) => {
        if (!isNode) return;
        if (event.pointerType !== "touch") onGo();
        onPress(event, row.found.schema);
      }}
    >
      {isNode ? <NodeRow row={row} /> : <HeadingRow row={row} />}
    </div>
  );
}

function HeadingRow({ row }: { row: LibraryHeading }) {
  return (
    <>
      <ChevronRight size={12} aria-hidden className={row.open ? "fold open" : "fold"} />
      <span className="name">{nameOf(row)}</span>
      <span className="count" aria-hidden>
        {row.count}
      </span>
    </>
  );
}

/** The library's own headings are translated; categories and packs keep their authors' names. */
function nameOf({ shelf, label }: LibraryHeading): string {
  if (shelf === "bookmarks") return t("Bookmarks");
  return shelf === "recent" ? t("Recently used") : label;
}

function NodeRow({ row: { found } }: { row: LibraryNode }) {
  const { schema, marks, also } = found;
  const isMarked = useSetting("calotype.bookmarks").includes(schema.class_type);
  return (
    <>
      <span className="name">
        <Marked text={schema.display_name} marks={marks} />
        {also !== null && marks.length === 0 && (
          <span className="also" aria-hidden>
            {" "}
            {also}
          </span>
        )}
      </span>
      {schema.deprecated && <Badge text={t("deprecated")} />}
      {schema.experimental && <Badge text={t("experimental")} />}
      <button
        type="button"
        tabIndex={-1}
        aria-hidden
        className={isMarked ? "star on" : "star"}
        title={t("Bookmark {{node}}", { node: schema.display_name })}
        onPointerDown={(event) => event.stopPropagation()}
        onClick={(event) => {
          event.stopPropagation();
          toggleBookmark(schema.class_type);
        }}
      >
        <Star filled={isMarked} />
      </button>
    </>
  );
}

/** The row's description says it to screen readers. */
function Badge({ text }: { text: string }) {
  return (
    <span className="badge" aria-hidden>
      {text}
    </span>
  );
}

/** What a screen reader says of a node after its name. */
function wordsOf({ found: { schema } }: LibraryNode): string {
  return [
    isBookmarked(schema.class_type) ? t("bookmarked") : "",
    schema.deprecated ? t("deprecated") : "",
    schema.experimental ? t("experimental") : "",
    packOf(schema),
    schema.description.split(/\n\n|(?<=\.)\s/)[0] ?? "",
  ]
    .filter((each) => each !== "")
    .join(", ");
}
