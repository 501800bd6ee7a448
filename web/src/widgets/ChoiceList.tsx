/** The open list of a combo field: search, folders, thumbnails and recent choices. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { AlertTriangle, ChevronRight, RefreshCw, Search, Star } from "lucide-react";
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import type { InputSchema } from "../api/types";
import { t } from "../words/words";
import { type ChoiceRow, foldersOf, nearest, type Row, rowsOf } from "./choices";
import { shownChoice } from "./kinds";
import { Listbox, Option } from "./Listbox";
import { Popup } from "./Popup";
import { useFieldServices } from "./services";

interface Props {
  anchor: HTMLElement;
  label: string;
  input: InputSchema;
  choices: readonly unknown[];
  chosen: readonly unknown[];
  /** Stays open; each choice is toggled. */
  many?: boolean;
  /** The current value, if it is not among the choices. */
  missing: string | null;
  onChoose: (choice: unknown) => void;
  onRefresh?: () => void;
  onClose: () => void;
}

const SEARCHED_FROM = 8;
/** Longer lists are virtual: only the rows in view are rendered. */
const DRAWN = 300;
const ROW = 26;

export function ChoiceList(props: Props) {
  const { anchor, label, input, choices, chosen, many = false, onChoose, onClose } = props;
  const { rows, marked, typed, type, point, act, star, key } = useSearch(props);
  const id = useId();
  const { box, shown, above, below, measure } = useDrawn(rows.length, marked);
  return (
    <Popup anchor={anchor} label={label} className="choices" onClose={onClose}>
      <SearchLine
        {...props}
        typed={typed}
        listId={id}
        marked={`${id}-${marked}`}
        onKey={key}
        onType={type}
      />
      {props.missing !== null && typed === "" && (
        <Missing name={props.missing} choices={choices} onChoose={onChoose} />
      )}
      <Listbox id={id} label={label} many={many} box={box}>
        <div role="presentation" style={{ height: above }} />
        {shown.map((index) => (
          <Line
            key={index}
            id={`${id}-${index}`}
            index={index}
            count={rows.length}
            measure={measure}
            row={rows[index] as Row}
            input={input}
            many={many}
            at={index === marked}
            chosen={isChosen(rows[index], chosen)}
            onPoint={() => point(index)}
            onAct={() => act(rows[index])}
            onStar={() => star(rows[index])}
          />
        ))}
        <div role="presentation" style={{ height: below }} />
      </Listbox>
      {rows.length === 0 && <p className="options-none">{t("No choice matches.")}</p>}
    </Popup>
  );
}

function isChosen(row: Row | undefined, chosen: readonly unknown[]): boolean {
  return row?.kind === "choice" && chosen.includes(row.value);
}

/** The rendered rows with their indices, and the space above and below them. */
function useDrawn(count: number, marked: number) {
  const box = useRef<HTMLDivElement>(null);
  const enabled = count > DRAWN;
  const virtual = useVirtualizer({
    count,
    enabled,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 20,
  });
  useEffect(() => {
    if (enabled) virtual.scrollToIndex(marked, { align: "auto" });
  }, [enabled, marked, virtual]);
  if (!enabled) {
    return { box, shown: [...Array(count).keys()], above: 0, below: 0, measure: null };
  }
  const items = virtual.getVirtualItems();
  return {
    box,
    shown: items.map(({ index }) => index),
    above: items[0]?.start ?? 0,
    below: virtual.getTotalSize() - (items.at(-1)?.end ?? 0),
    measure: virtual.measureElement,
  };
}

/** The search results, the marked row, and the handling of keys. */
function useSearch({ input, choices, chosen, onChoose, onClose }: Props) {
  const services = useFieldServices();
  const [typed, setTyped] = useState("");
  const [opened, setOpened] = useState<ReadonlySet<string>>(() => new Set(foldersOf(chosen[0])));
  const [stars, setStars] = useState(0);
  const rows = useMemo(() => {
    void stars;
    const [recent, starred] = [services.recent(input), services.starred(input)];
    return rowsOf(choices, { typed, recent, starred, opened });
  }, [choices, typed, opened, services, input, stars]);
  const [at, setAt] = useState<number | null>(null);
  const marked = at ?? markedFirst(rows, chosen, typed);
  const toggle = (path: string) => setOpened((before) => toggled(before, path));
  const act = (row: Row | undefined) => {
    if (row?.kind === "choice") onChoose(row.value);
    if (row?.kind === "folder") toggle(row.path);
  };
  const star = (row: Row | undefined) => {
    if (row?.kind !== "choice") return;
    services.star(input, shownChoice(row.value));
    setStars((before) => before + 1);
  };
  const key = (event: KeyboardEvent) => {
    const row = rows[marked];
    if (event.key === "ArrowDown") setAt(walked(rows, marked, 1));
    else if (event.key === "ArrowUp") setAt(walked(rows, marked, -1));
    else if (event.key === "Enter") act(row);
    else if (event.key === "Tab") onClose();
    else if (event.altKey && event.code === "KeyS") star(row);
    else if (row?.kind === "folder" && row.open === (event.key === "ArrowLeft")) {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      toggle(row.path);
    } else return;
    event.preventDefault();
  };
  const type = (text: string) => {
    setTyped(text);
    setAt(null);
  };
  return { rows, marked, typed, type, point: setAt, act, star, key };
}

/** The index of the current choice, or of the first row that can be chosen. */
function markedFirst(rows: readonly Row[], chosen: readonly unknown[], typed: string): number {
  const current = rows.findIndex((row) => row.kind === "choice" && chosen.includes(row.value));
  if (typed === "" && current >= 0) return current;
  return Math.max(
    0,
    rows.findIndex((row) => row.kind !== "heading"),
  );
}

function walked(rows: readonly Row[], from: number, by: 1 | -1): number {
  let to = from + by;
  while (rows[to]?.kind === "heading") to += by;
  return rows[to] === undefined ? from : to;
}

function toggled(before: ReadonlySet<string>, path: string): ReadonlySet<string> {
  const after = new Set(before);
  if (!after.delete(path)) after.add(path);
  return after;
}

interface SearchProps extends Props {
  typed: string;
  listId: string;
  marked: string;
  onType: (text: string) => void;
  onKey: (event: KeyboardEvent) => void;
}

function SearchLine({
  label,
  choices,
  onRefresh,
  typed,
  listId,
  marked,
  onType,
  onKey,
}: SearchProps) {
  return (
    <div className={choices.length < SEARCHED_FROM && !onRefresh ? "search hidden" : "search"}>
      <Search size={13} aria-hidden />
      <input
        // biome-ignore lint/a11y/noAutofocus: the list was just opened to choose from it
        autoFocus
        role="combobox"
        aria-label={t("Search {{label}}", { label })}
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={marked}
        placeholder={t("Search")}
        value={typed}
        onChange={(event) => onType(event.currentTarget.value)}
        onKeyDown={onKey}
      />
      {onRefresh !== undefined && (
        <button type="button" aria-label={t("Reload the list")} onClick={onRefresh}>
          <RefreshCw size={12} aria-hidden />
        </button>
      )}
    </div>
  );
}

interface MissingProps {
  name: string;
  choices: readonly unknown[];
  onChoose: (choice: unknown) => void;
}

function Missing({ name, choices, onChoose }: MissingProps) {
  const alike = nearest(name, choices);
  return (
    <div className="not-here">
      <p>
        <AlertTriangle size={13} aria-hidden />
        <span>
          {t("{{name}} is not on this server.", { name })}{" "}
          {alike.length === 0
            ? t("No similar name was found.")
            : t("{{count}} similar names:", { count: alike.length })}
        </span>
      </p>
      {alike.map((each) => (
        <button key={each} type="button" className="option" onClick={() => onChoose(each)}>
          {each}
        </button>
      ))}
    </div>
  );
}

interface LineProps {
  id: string;
  index: number;
  count: number;
  /** Measures the row of a long list; null in a short one. */
  measure: ((element: Element | null) => void) | null;
  row: Row;
  input: InputSchema;
  many: boolean;
  at: boolean;
  chosen: boolean;
  onPoint: () => void;
  onAct: () => void;
  onStar: () => void;
}

function Line(props: LineProps) {
  const { row, index, measure } = props;
  if (row.kind === "heading") {
    return (
      <div ref={measure} data-index={index} role="presentation" className="options-heading">
        {t(row.label)}
      </div>
    );
  }
  if (row.kind === "choice") return <Choice {...props} row={row} />;
  const { id, count, at, onPoint, onAct } = props;
  return (
    <Option
      {...{ id, at, index, count, measure, onPoint }}
      chosen={false}
      className="folder"
      style={{ paddingInlineStart: 8 + row.depth * 14 }}
      onChoose={onAct}
    >
      <ChevronRight
        size={12}
        className={row.open ? "open" : ""}
        role="img"
        aria-label={row.open ? t("open folder") : t("folder")}
      />
      <span className="name">{row.label}</span>
      <span className="detail">{row.count}</span>
    </Option>
  );
}

function Choice({ row, ...props }: LineProps & { row: ChoiceRow }) {
  const { id, index, count, measure, input, many, at, chosen, onPoint, onAct, onStar } = props;
  const services = useFieldServices();
  const name = shownChoice(row.value);
  const picture = services.thumbnail(input, name);
  const starred = services.starred(input).includes(name);
  return (
    <Option
      {...{ id, at, chosen, index, count, measure, onPoint }}
      {...(picture === null ? {} : { className: "pictured" })}
      style={{ paddingInlineStart: 8 + row.depth * 14 }}
      title={name}
      onChoose={onAct}
    >
      {many && <i className={chosen ? "tick on" : "tick"} />}
      {picture !== null && (
        <img
          src={picture}
          alt=""
          loading="lazy"
          // Hidden if the file has no thumbnail.
          onError={(event) => event.currentTarget.classList.add("none")}
        />
      )}
      <span className="name">{row.label}</span>
      {/* An option may contain no focusable element, so the keyboard stars it with Alt+S. */}
      <span
        className={starred ? "star on" : "star"}
        aria-hidden
        title={starred ? t("Unpin from the top") : t("Pin to the top")}
        onPointerDown={(event) => {
          event.preventDefault();
          event.stopPropagation();
          onStar();
        }}
      >
        <Star size={12} />
      </span>
    </Option>
  );
}
