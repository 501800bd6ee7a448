/** A virtual grid of thousands of results, grouped by day, with full keyboard control. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type MouseEvent, useEffect, useMemo, useRef, useState } from "react";
import type { ListedJob } from "../api/results";
import { keyOf } from "../state/commands/keymap";
import {
  changeFilter,
  choose,
  chooseRange,
  chosenJobs,
  extendTo,
  NO_FILTER,
  readAround,
  toggleChosen,
  undoRemoval,
  useHistory,
} from "../state/outcomes/history";
import { dayName, type GridRow, rowOfPlace, rowsOf } from "../state/results/historyRows";
import { openLightbox } from "../state/results/lightbox";
import { pictureOf } from "../state/results/pictureActions";
import { notifyError, useView } from "../state/session/view";
import { dayAndTime } from "../words/format";
import { t } from "../words/words";
import { Picture } from "./Picture";

const GAP = 6;
const PADDING = 12;
const HEADING = 30;

export function HistoryGrid() {
  const total = useHistory((state) => state.total);
  const filtered = useHistory(({ filter }) =>
    Object.values(filter).some((each) => each !== null && each !== "" && each !== false),
  );
  if (total === null) return <p className="empty">{t("Searching the history")}</p>;
  if (total > 0) return <Grid />;
  return (
    <p className="empty">
      {filtered
        ? t("No run matches this search.")
        : t("Results are kept here, with the workflow that made them. Press Run.")}{" "}
      {filtered && (
        <button type="button" className="link" onClick={() => changeFilter(NO_FILTER)}>
          {t("Show all")}
        </button>
      )}
    </p>
  );
}

/** The rows of the gallery, of which those in view or near it are rendered and read. */
function useRows() {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const { days, revision } = useHistory();
  const size = useView((state) => state.thumbnail);
  const columns = Math.max(Math.floor((width - 2 * PADDING + GAP) / (size + GAP)), 1);
  const side = Math.floor((width - 2 * PADDING - (columns - 1) * GAP) / columns);
  const rows = useMemo(() => rowsOf(days, columns), [days, columns]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: (index) => (rows[index]?.kind === "day" ? HEADING : side + GAP),
    overscan: 3,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: sizes changed, so rows are measured again
  useEffect(() => virtual.measure(), [side, rows]);
  const items = virtual.getVirtualItems();
  const [first, last] = placesIn(items.map(({ index }) => rows[index]));
  // biome-ignore lint/correctness/useExhaustiveDependencies: the rows in view are read again after each change
  useEffect(() => {
    if (last >= first) readAround(first, last).catch(notifyError);
  }, [first, last, revision]);
  return { box, rows, columns, side, virtual, items };
}

function Grid() {
  const { box, rows, columns, side, virtual, items } = useRows();
  const { jobs, at } = useHistory();
  const go = (to: number, range: boolean) => {
    const target = Math.min(Math.max(to, 0), jobs.length - 1);
    readAround(target, target)
      .then(() => {
        const id = useHistory.getState().jobs[target]?.id;
        if (range) extendTo(target).catch(notifyError);
        else choose(id === undefined ? [] : [id], target);
        virtual.scrollToIndex(rowOfPlace(rows, target), { align: "auto" });
      })
      .catch(notifyError);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!keyed(event, { at, columns, count: jobs.length, go })) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const pinned = pinnedDay(rows, items.find(({ end }) => end > (virtual.scrollOffset ?? 0))?.index);
  return (
    <div className="history-room">
      {pinned !== null && (
        <div className="pinned" aria-hidden>
          {dayName(pinned)}
        </div>
      )}
      <div
        ref={box}
        className="history-grid"
        role="listbox"
        tabIndex={0}
        aria-label={t("Results")}
        aria-multiselectable
        aria-activedescendant={jobs[at] === undefined ? undefined : `result-${at}`}
        onKeyDown={onKeyDown}
      >
        <div
          className="sheet"
          role="presentation"
          style={{ height: virtual.getTotalSize() + PADDING }}
        >
          {items.map(({ index, start, key }) => {
            const row = rows[index];
            if (row === undefined) return null;
            return row.kind === "day" ? (
              <div key={key} aria-hidden className="day" style={{ top: start }}>
                {dayName(row.day)} <span>{row.count}</span>
              </div>
            ) : (
              <Cells key={key} row={row} top={start} side={side} wanted={!virtual.isScrolling} />
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface CellsProps {
  row: { first: number; count: number };
  top: number;
  side: number;
  /** Whether its images are requested: not during fast scrolling. */
  wanted: boolean;
}

function Cells({ row, top, side, wanted }: CellsProps) {
  const { jobs, at, chosen } = useHistory();
  return (
    <div role="presentation" className="row" style={{ top, height: side }}>
      {range(row.first, row.count).map((place) => (
        <Cell
          key={jobs[place]?.id ?? place}
          job={jobs[place]}
          place={place}
          count={jobs.length}
          side={side}
          at={place === at}
          chosen={chosen.has(jobs[place]?.id ?? "")}
          wanted={wanted}
        />
      ))}
    </div>
  );
}

/** The day of the uppermost row, if its own heading is out of view. */
function pinnedDay(rows: readonly GridRow[], top: number | undefined): string | null {
  if (top === undefined || rows[top]?.kind === "day") return null;
  const heading = rows.slice(0, top).findLast((row) => row.kind === "day");
  return heading?.kind === "day" ? heading.day : null;
}

function placesIn(rows: readonly (GridRow | undefined)[]): [number, number] {
  const cells = rows.filter((row) => row?.kind === "cells");
  const [first, last] = [cells[0], cells.at(-1)];
  return [first?.first ?? 0, last === undefined ? -1 : last.first + last.count - 1];
}

interface Keyed {
  at: number;
  columns: number;
  count: number;
  go: (to: number, range: boolean) => void;
}

/** Handles a key in the gallery; false if the key does nothing. */
function keyed(event: KeyboardEvent, { at, columns, count, go }: Keyed): boolean {
  const to = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    Home: 0,
    End: count - 1,
    PageUp: at - 3 * columns,
    PageDown: at + 3 * columns,
  }[event.key];
  const { jobs } = useHistory.getState();
  if (to !== undefined) go(to, event.shiftKey);
  else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) openLightbox("history", at);
  else if (event.key === " ") {
    const job = jobs[at];
    if (job !== undefined) toggleChosen(job.id, at);
  } else if (keyOf(event.nativeEvent) === "Ctrl+A") {
    chooseRange(0, count - 1).catch(notifyError);
  } else if (event.key === "Delete") {
    useHistory.setState({ asking: chosenJobs().map((job) => job.id) });
  } else if (event.key === "Escape" && useHistory.getState().chosen.size > 0) choose([]);
  else return false;
  return true;
}

interface CellProps {
  job: ListedJob | undefined;
  place: number;
  count: number;
  side: number;
  at: boolean;
  chosen: boolean;
  wanted: boolean;
}

function Cell({ job, place, count, side, at, chosen, wanted }: CellProps) {
  const leaving = useHistory((state) => job !== undefined && state.removing.has(job.id));
  const onClick = (event: MouseEvent) => {
    if (job === undefined) return;
    if (event.shiftKey) extendTo(place).catch(notifyError);
    else if (event.ctrlKey || event.metaKey) toggleChosen(job.id, place);
    else choose([job.id], place);
  };
  if (leaving) {
    return (
      <div className="cell leaving" style={{ width: side }} role="presentation">
        <button type="button" onClick={undoRemoval}>
          {t("Undo")}
        </button>
      </div>
    );
  }
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list handles the keys
    <div
      id={`result-${place}`}
      className={`cell thumb ${job?.status ?? "unread"}${at ? " at" : ""}`}
      style={{ width: side }}
      role="option"
      tabIndex={-1}
      aria-selected={chosen}
      aria-posinset={place + 1}
      aria-setsize={count}
      aria-label={labelOf(job)}
      data-picture={job === undefined ? undefined : pictureOf(job)}
      onClick={onClick}
      onDoubleClick={() => openLightbox("history", place)}
    >
      {job !== undefined && <Picture job={job} size={side > 192 ? 512 : 256} wanted={wanted} />}
    </div>
  );
}

function labelOf(job: ListedJob | undefined): string {
  if (job === undefined) return t("Loading");
  const name = job.excerpt ?? job.title ?? job.preview_output?.filename ?? job.id;
  const when = job.create_time === undefined ? "" : dayAndTime(job.create_time);
  return `${name}, ${when}`;
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

function useWidth(box: React.RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(800);
  useEffect(() => {
    const shown = box.current;
    if (shown === null) return;
    const watch = new ResizeObserver(() => setWidth(shown.clientWidth));
    watch.observe(shown);
    return () => watch.disconnect();
  }, [box]);
  return width;
}
