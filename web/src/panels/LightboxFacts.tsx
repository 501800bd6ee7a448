/** What made a result: its prompt, seed, model, steps, size, time, and the values of every node. */

import {
  Copy,
  Download,
  FileInput,
  GitCompareArrows,
  ImageUp,
  RotateCcw,
  SplitSquareHorizontal,
  Star,
} from "lucide-react";
import type { ListedJob } from "../api/results";
import { star, useHistory } from "../state/outcomes/history";
import { outputOf } from "../state/outcomes/outputs";
import { compareWithOpen } from "../state/results/difference";
import { closeLightbox, compareJobs, latestBeside } from "../state/results/lightbox";
import { downloadJobs, giveAsInput, openResult, type Result } from "../state/results/results";
import { reproduce } from "../state/results/startReproduce";
import { useEditor } from "../state/session/editor";
import { notifyError } from "../state/session/view";
import { dayAndTime, spanOf } from "../words/format";
import { t } from "../words/words";

export function LightboxFacts({ job, result }: { job: ListedJob; result: Result }) {
  const { facts } = result;
  const { execution_start_time: start, execution_end_time: end, create_time: made } = job;
  const lines: readonly (readonly [string, string | null])[] = [
    [t("Seed"), facts.seed],
    [t("Model"), facts.models.join(", ") || null],
    ...facts.settings.map(([name, value]) => [name, value] as const),
    [t("Size"), facts.size],
    [t("Duration"), start === undefined || end === undefined ? null : spanOf((end - start) / 1000)],
    [t("Created"), made === undefined ? null : dayAndTime(made)],
    [t("Workflow"), job.title ?? null],
    [t("Files"), result.files.map(({ file }) => file.filename).join(", ") || null],
  ];
  return (
    <aside className="facts" aria-label={t("How it was made")}>
      <Actions job={job} result={result} />
      {facts.positive !== null && <Text title={t("Prompt")} text={facts.positive} />}
      {facts.negative !== null && <Text title={t("Negative prompt")} text={facts.negative} />}
      <dl>
        {lines.map(([name, value]) =>
          value === null ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
      {result.texts.map(({ node, text }) => (
        <Text key={`${node} ${text}`} title={t("Text of node {{node}}", { node })} text={text} />
      ))}
      <details>
        <summary>{t("Values of every node")}</summary>
        {facts.nodes.map(({ id, type, values }) => (
          <dl key={id}>
            <div className="of">
              <dt>{type}</dt>
              <dd>{id}</dd>
            </div>
            {values.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        ))}
      </details>
    </aside>
  );
}

function Text({ title, text }: { title: string; text: string }) {
  return (
    <section>
      <h3>
        {title}
        <button
          type="button"
          className="ghost"
          aria-label={t("Copy: {{title}}", { title })}
          onClick={() => navigator.clipboard.writeText(text).catch(notifyError)}
        >
          <Copy size={12} aria-hidden />
        </button>
      </h3>
      <p>{text}</p>
    </section>
  );
}

/** The actions for a result that are possible now. */
function useActions(job: ListedJob, result: Result) {
  const editor = useEditor();
  const made = outputOf(job);
  const latest = latestBeside(job.id);
  const starred = useHistory(
    ({ jobs }) => jobs.find((each) => each?.id === job.id)?.starred ?? job.starred ?? false,
  );
  const leave = (then: () => void) => () => {
    closeLightbox();
    then();
  };
  return [
    {
      label: starred ? t("Remove the star") : t("Add a star"),
      Icon: Star,
      run: () => void star([job.id], !starred),
      can: true,
    },
    {
      label: t("Open its workflow"),
      Icon: FileInput,
      run: leave(() => void openResult(job.id)),
      can: true,
    },
    {
      label: t("Reproduce"),
      Icon: RotateCcw,
      run: leave(() => reproduce(editor, job.id)),
      can: true,
    },
    {
      label: t("Use as an input"),
      Icon: ImageUp,
      run: leave(() => made !== null && giveAsInput(editor, made.file)),
      can: made !== null && result.files.some(({ medium }) => medium === "image"),
    },
    {
      label: t("Compare with the latest"),
      Icon: SplitSquareHorizontal,
      run: leave(() => compareJobs(job, latest)),
      can: made?.medium === "image" && latest !== undefined,
    },
    {
      label: t("Differences from the open workflow"),
      Icon: GitCompareArrows,
      run: leave(() => void compareWithOpen(editor, job.id)),
      can: true,
    },
    {
      label: t("Download"),
      Icon: Download,
      run: () => void downloadJobs([job.id]),
      can: result.files.length > 0,
    },
  ].filter((each) => each.can);
}

function Actions({ job, result }: { job: ListedJob; result: Result }) {
  return (
    <div className="chips">
      {useActions(job, result).map(({ label, Icon, run }) => (
        <button key={label} type="button" className="chip" onClick={run}>
          <Icon size={12} aria-hidden />
          {label}
        </button>
      ))}
    </div>
  );
}
