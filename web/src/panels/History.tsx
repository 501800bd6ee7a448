/** The gallery: all results, searched by text, stars and days, and the actions for them. */
import { CopyCheck, Grid3x3, Search, Star, X } from "lucide-react";
import { useEffect, useState } from "react";
import type { JobStatus } from "../api/jobs";
import { changeFilter, chooseRange, refreshHistory, useHistory } from "../state/outcomes/history";
import { notifyError, useView } from "../state/session/view";
import { Select } from "../widgets/Select";
import { t } from "../words/words";
import { BatchGrid } from "./BatchGrid";
import { ChosenBar } from "./ChosenBar";
import { ForgetDialog } from "./ForgetDialog";
import { HistoryGrid } from "./HistoryGrid";
import "./history.css";

const REST = 200;

export function History() {
  const [failed, setFailed] = useState(false);
  const { batch } = useHistory((state) => state.filter);
  const [asGrid, setAsGrid] = useState(true);
  useEffect(() => {
    refreshHistory().catch((error: unknown) => {
      setFailed(true);
      notifyError(error);
    });
  }, []);
  return (
    <div className="history">
      <Filters asGrid={asGrid} onGrid={setAsGrid} />
      <ChosenBar />
      {failed ? (
        <p className="empty">{t("The history cannot be read: the server does not answer.")}</p>
      ) : batch !== null && asGrid ? (
        <BatchGrid />
      ) : (
        <HistoryGrid />
      )}
      <ForgetDialog />
    </div>
  );
}

const STATES: readonly JobStatus[] = ["completed", "failed", "cancelled"];

interface GridProps {
  asGrid: boolean;
  onGrid: (on: boolean) => void;
}

function Filters({ asGrid, onGrid }: GridProps) {
  const { filter, total } = useHistory();
  return (
    <search className="filters">
      <SearchField />
      <button
        type="button"
        className="chip"
        aria-pressed={filter.starred}
        onClick={() => changeFilter({ starred: !filter.starred })}
      >
        <Star size={12} aria-hidden />
        {t("Starred")}
      </button>
      <Choices />
      {filter.batch !== null && <OneBatch asGrid={asGrid} onGrid={onGrid} />}
      <span className="tally">
        <span className="found" role="status">
          {total !== null && t("{{count}} results", { count: total })}
        </span>
        <Size />
      </span>
    </search>
  );
}

function Choices() {
  const { filter, workflows } = useHistory();
  const states = { completed: t("Done"), failed: t("Failed"), cancelled: t("Stopped") };
  return (
    <>
      <Select
        aria-label={t("Outcome")}
        value={filter.status ?? ""}
        options={[
          ["", t("Any outcome")],
          ...STATES.map((each) => [each, states[each as keyof typeof states]] as const),
        ]}
        onChoose={(chosen) => {
          changeFilter({ status: STATES.find((each) => each === chosen) ?? null });
        }}
      />
      <Select
        aria-label={t("When")}
        value={filter.days ?? ""}
        options={[
          ["", t("Any time")],
          ["1", t("Today")],
          ["7", t("The last 7 days")],
          ["30", t("The last 30 days")],
        ]}
        onChoose={(days) => changeFilter({ days: Number(days) || null })}
      />
      {workflows.length > 1 && (
        <Select
          aria-label={t("Workflow")}
          value={filter.workflow ?? ""}
          options={[
            ["", t("Any workflow")],
            ...workflows.map(
              ({ id, title, count }) => [id, `${title || id.slice(0, 8)} (${count})`] as const,
            ),
          ]}
          onChoose={(workflow) => changeFilter({ workflow: workflow || null })}
        />
      )}
    </>
  );
}

function OneBatch({ asGrid, onGrid }: GridProps) {
  const total = useHistory((state) => state.total);
  return (
    <>
      <button
        type="button"
        className="chip"
        aria-pressed
        onClick={() => changeFilter({ batch: null })}
      >
        {t("One batch")}
        <X size={12} aria-hidden />
      </button>
      <button
        type="button"
        className="chip"
        onClick={() => chooseRange(0, (total ?? 0) - 1).catch(notifyError)}
      >
        <CopyCheck size={12} aria-hidden />
        {t("Select all")}
      </button>
      <button type="button" className="chip" aria-pressed={asGrid} onClick={() => onGrid(!asGrid)}>
        <Grid3x3 size={12} aria-hidden />
        {t("As a grid")}
      </button>
    </>
  );
}

function SearchField() {
  const search = useHistory((state) => state.filter.search);
  const [typed, setTyped] = useState(search);
  const [seen, setSeen] = useState(search);
  if (seen !== search) {
    setSeen(search);
    setTyped(search);
  }
  useEffect(() => {
    if (typed === useHistory.getState().filter.search) return;
    const timer = setTimeout(() => changeFilter({ search: typed }), REST);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <label className="search-field">
      <Search size={13} aria-hidden />
      <input
        type="search"
        aria-label={t("Search the results")}
        placeholder={t("Prompt, model or seed")}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
    </label>
  );
}

function Size() {
  const size = useView((state) => state.thumbnail);
  return (
    <input
      className="size"
      type="range"
      min={72}
      max={320}
      step={8}
      value={size}
      aria-label={t("Size of the images")}
      onChange={(event) => useView.setState({ thumbnail: Number(event.currentTarget.value) })}
    />
  );
}
