/** The running and the pending jobs in order; the user can reorder them. */
import { ArrowDown, ArrowUp, ChevronsUp, GripVertical, LoaderCircle, X } from "lucide-react";
import { type DragEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { type ListedJob, readPlace } from "../api/results";
import {
  expectedOf,
  type Move,
  moveInQueue,
  moveTo,
  useQueue,
  useQueueRow,
} from "../state/outcomes/queue";
import { useRuns } from "../state/outcomes/runs";
import { type QueuedContents, readQueued } from "../state/results/results";
import { cancelJob } from "../state/runs/running";
import { errorText } from "../state/session/view";
import { spanOf } from "../words/format";
import { t } from "../words/words";
import { Miniature } from "./Miniature";

const DRAGGED = "application/x-calotype-job";

export function Queue() {
  const { running, waiting, total, paused } = useQueue();
  const past = useRuns((state) => state.past);
  if (running.length === 0 && waiting.length === 0) {
    return (
      <p className="empty">
        {paused
          ? t("The queue is empty and paused: new runs are queued here.")
          : t("The queue is empty. Press Run as often as you like: runs are queued here.")}
      </p>
    );
  }
  const spans = waiting.map((job) => expectedOf(job, past));
  const all = spans.every((each) => each !== null)
    ? spans.reduce<number>((sum, each) => sum + (each ?? 0), 0)
    : null;
  return (
    <div className="queue-room">
      <ol className="queue">
        {running.map((job) => (
          <Running key={job.id} job={job} expected={expectedOf(job, past)} />
        ))}
        {waiting.map((job, index) => (
          <Waiting
            key={job.id}
            job={job}
            place={index}
            count={waiting.length}
            expected={spans[index] ?? null}
          />
        ))}
      </ol>
      {(total > waiting.length || all !== null) && waiting.length > 0 && (
        <p className="queue-sum">
          {total > waiting.length &&
            t("{{count}} more pending runs are not listed.", { count: total - waiting.length })}
          {all !== null &&
            total === waiting.length &&
            t("All pending runs take about {{time}}.", { time: spanOf(all / 1000) })}
        </p>
      )}
    </div>
  );
}

/** What distinguishes a run from the others: its values in a batch, its seed; then its prompt. */
function excerptOf(job: ListedJob, seed: string | null): string {
  const place = readPlace(job.place);
  const values = place?.axes.map(({ values }, axis) => values[place.at[axis] ?? 0]) ?? [];
  const isShown = seed === null || values.includes(seed);
  return [...values, isShown ? "" : t("Seed {{seed}}", { seed }), job.excerpt ?? ""]
    .filter((each) => each !== "")
    .join(" · ");
}

function nameOf(job: ListedJob): string {
  return job.title ?? t("From another program");
}

function Running({ job, expected }: { job: ListedJob; expected: number | null }) {
  const preview = useRuns((state) => Object.values(state.previews)[0]);
  const began = job.execution_start_time;
  const now = useNow();
  const spent = began === undefined ? 0 : Math.max(now - began, 0);
  const { row, contents } = useContents(job.id);
  return (
    <li ref={row} className="now">
      <span className="small-picture">
        {preview === undefined ? (
          <LoaderCircle size={16} className="spin" aria-hidden />
        ) : (
          <img src={preview} alt="" />
        )}
      </span>
      <span className="what">
        <b>{nameOf(job)}</b>
        <span className="excerpt">{excerptOf(job, contents?.seed ?? null)}</span>
      </span>
      <span className="when">
        {t("Running for {{time}}", { time: spanOf(spent / 1000) })}
        {expected !== null && t(" of about {{time}}", { time: spanOf(expected / 1000) })}
      </span>
      <span className="tools">
        <button
          type="button"
          className="ghost"
          aria-label={t("Cancel {{name}}", { name: nameOf(job) })}
          data-tip={t("Stop")}
          onClick={() => void cancelJob(job.id)}
        >
          <X size={13} aria-hidden />
        </button>
      </span>
    </li>
  );
}

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  return now;
}

interface WaitingProps {
  job: ListedJob;
  place: number;
  count: number;
  expected: number | null;
}

function Waiting({ job, place, count, expected }: WaitingProps) {
  const [over, setOver] = useState(false);
  const { row, contents, missing } = useContents(job.id);
  const onDrop = (event: DragEvent) => {
    const id = event.dataTransfer.getData(DRAGGED);
    setOver(false);
    if (id === "") return;
    event.preventDefault();
    event.stopPropagation();
    void moveTo(id, place);
  };
  return (
    <li
      ref={row}
      className={over ? "over" : ""}
      draggable
      onFocus={() => useQueueRow.setState({ id: job.id })}
      onPointerDown={() => useQueueRow.setState({ id: job.id })}
      onDragStart={(event) => {
        event.dataTransfer.setData(DRAGGED, job.id);
        event.dataTransfer.effectAllowed = "move";
      }}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes(DRAGGED)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
    >
      <Grip job={job} place={place} count={count} />
      <span className="place">{place + 1}</span>
      <span className="small-picture" title={missing}>
        {contents?.workflow != null && <Miniature workflow={contents.workflow} />}
      </span>
      <span className="what">
        <b>{nameOf(job)}</b>
        <span className="excerpt">{excerptOf(job, contents?.seed ?? null)}</span>
      </span>
      <span className="when">{expected !== null && `≈ ${spanOf(expected / 1000)}`}</span>
      <Tools job={job} place={place} count={count} />
    </li>
  );
}

/** A job's workflow and seed, or why they are missing; read when its row comes into view. */
function useContents(job: string) {
  const row = useRef<HTMLLIElement>(null);
  const [found, setFound] = useState<QueuedContents | string | null>(null);
  useEffect(() => {
    const element = row.current;
    if (element === null) return;
    let gone = false;
    const read = async () => {
      const read = await readQueued(job).catch(errorText);
      if (!gone) setFound(read);
    };
    const sight = new IntersectionObserver((seen) => {
      if (!seen.some((each) => each.isIntersecting)) return;
      sight.disconnect();
      void read();
    });
    sight.observe(element);
    return () => {
      gone = true;
      sight.disconnect();
    };
  }, [job]);
  const contents = typeof found === "string" ? null : found;
  return { row, contents, missing: typeof found === "string" ? found : contents?.missing };
}

const MOVES: Readonly<Record<string, Move>> = {
  ArrowUp: "up",
  ArrowDown: "down",
  Home: "first",
  End: "last",
};

function Grip({ job, place, count }: { job: ListedJob; place: number; count: number }) {
  const values = { name: nameOf(job), place: place + 1, count };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = MOVES[event.key];
    if (move === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    void moveInQueue(job.id, move);
  };
  return (
    <button
      type="button"
      className="grip"
      aria-label={t("{{name}}, {{place}} of {{count}}: move it with the arrow keys", values)}
      onKeyDown={onKeyDown}
    >
      <GripVertical size={13} aria-hidden />
    </button>
  );
}

function Tools({ job, place, count }: { job: ListedJob; place: number; count: number }) {
  const name = nameOf(job);
  const moves = [
    { move: "first", Icon: ChevronsUp, label: t("Run {{name}} next", { name }), can: place > 0 },
    { move: "up", Icon: ArrowUp, label: t("Move {{name}} up", { name }), can: place > 0 },
    {
      move: "down",
      Icon: ArrowDown,
      label: t("Move {{name}} down", { name }),
      can: place < count - 1,
    },
  ] as const;
  return (
    <span className="tools">
      {moves.map(({ move, Icon, label, can }) => (
        <button
          key={move}
          type="button"
          className="ghost"
          aria-label={label}
          data-tip={label}
          disabled={!can}
          onClick={() => void moveInQueue(job.id, move)}
        >
          <Icon size={13} aria-hidden />
        </button>
      ))}
      <button
        type="button"
        className="ghost"
        aria-label={t("Cancel {{name}}", { name })}
        data-tip={t("Remove from the queue")}
        onClick={() => void cancelJob(job.id)}
      >
        <X size={13} aria-hidden />
      </button>
    </span>
  );
}
