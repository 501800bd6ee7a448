/** A batch as a grid: the first axis across, the others down, filled as its images arrive. */
import { useEffect } from "react";
import { type BatchAxis, type ListedJob, readPlace } from "../api/results";
import { choose, readAround, useHistory } from "../state/outcomes/history";
import { useQueue } from "../state/outcomes/queue";
import { openLightbox } from "../state/results/lightbox";
import { pictureOf } from "../state/results/pictureActions";
import { notifyError, useView } from "../state/session/view";
import { t } from "../words/words";
import { Picture } from "./Picture";

interface Cell {
  job: ListedJob;
  /** Its place in the gallery; null while it is pending. */
  shelf: number | null;
}

export function BatchGrid() {
  const { jobs, total, filter, chosen, revision } = useHistory();
  const { running, waiting } = useQueue();
  const side = useView((state) => state.thumbnail);
  // biome-ignore lint/correctness/useExhaustiveDependencies: read again after each change
  useEffect(() => {
    if (total !== null) readAround(0, total - 1).catch(notifyError);
  }, [total, revision]);
  const cells = new Map<string, Cell>();
  let axes: readonly BatchAxis[] = [];
  const put = (job: ListedJob | undefined, shelf: number | null) => {
    const place = job?.batch === filter.batch ? readPlace(job?.place) : null;
    if (job === undefined || place === null) return;
    axes = place.axes;
    const key = place.at.join();
    if (!cells.has(key)) cells.set(key, { job, shelf });
  };
  jobs.forEach(put);
  for (const job of [...running, ...waiting]) put(job, null);
  const [across, ...down] = axes;
  if (across === undefined) return <p className="empty">{t("The batch is loading.")}</p>;
  const rows = product(down);
  return (
    <div className="batch-grid">
      <table aria-label={t("The batch as a grid")}>
        <thead>
          <tr>
            <th scope="col" className="corner">
              {down.map((axis) => axis.label).join(" / ")}
            </th>
            {across.values.map((value) => (
              <th key={value} scope="col" title={across.label}>
                <small>{across.label}</small>
                {value}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.join()}>
              <th scope="row">{row.map((index, axis) => down[axis]?.values[index]).join(", ")}</th>
              {across.values.map((value, column) => {
                const cell = cells.get([column, ...row].join());
                return (
                  <td key={value} style={{ width: side, height: side }}>
                    {cell !== undefined && (
                      <One cell={cell} chosen={chosen.has(cell.job.id)} size={side} />
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function One({ cell, chosen, size }: { cell: Cell; chosen: boolean; size: number }) {
  const { job, shelf } = cell;
  if (shelf === null) {
    return (
      <span className="thumb word">
        {job.status === "in_progress" ? t("Running") : t("Pending")}
      </span>
    );
  }
  return (
    <button
      type="button"
      className={`thumb ${job.status}`}
      aria-pressed={chosen}
      data-picture={pictureOf(job)}
      onClick={(event) => {
        const { chosen: before } = useHistory.getState();
        choose(event.ctrlKey || event.metaKey ? [...before, job.id] : [job.id], shelf);
      }}
      onDoubleClick={() => openLightbox("history", shelf)}
    >
      <Picture job={job} size={size > 192 ? 512 : 256} />
    </button>
  );
}

/** Every combination of the values of these axes, as lists of indices. */
function product(axes: readonly BatchAxis[]): number[][] {
  return axes.reduceRight<number[][]>(
    (rows, axis) => rows.flatMap((row) => axis.values.map((_, index) => [index, ...row])),
    [[]],
  );
}
