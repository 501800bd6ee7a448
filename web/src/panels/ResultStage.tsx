/**
 * The stage: the newest result, large, with what made it, beside the graph or in a window of its
 * own. The graph stays editable.
 */

import {
  ExternalLink,
  FileInput,
  ImageDown,
  ImageUp,
  Maximize,
  PanelRight,
  SplitSquareHorizontal,
  X,
} from "lucide-react";
import { type KeyboardEvent, Suspense, useEffect, useState } from "react";
import { createPortal } from "react-dom";
import { viewUrl } from "../api/client";
import { type ListedJob, thumbnailUrl } from "../api/results";
import { outputOf } from "../state/outcomes/outputs";
import { useRuns } from "../state/outcomes/runs";
import { closeLightbox, useLightbox } from "../state/results/lightbox";
import { openPicture, pictureAttribute, pictureOf } from "../state/results/pictureActions";
import {
  downloadJobs,
  giveAsInput,
  openResult,
  type Result,
  readResult,
  writeDragged,
} from "../state/results/results";
import {
  closeStage,
  dockStage,
  openStageWindow,
  picturesOf,
  stageWindow,
  useStage,
} from "../state/results/stage";
import { useEditor } from "../state/session/editor";
import { notifyError, useView } from "../state/session/view";
import { IconButton } from "../widgets/IconButton";
import { part } from "../widgets/part";
import { usePointerDrag } from "../widgets/pointerDrag";
import { spanOf } from "../words/format";
import { t } from "../words/words";
import "./resultStage.css";

const Wipe = part(() => import("../widgets/Wipe").then((module) => module.Wipe));

const SHARE = 0.36;
const NARROWEST = 280;
const WIDEST = 560;
const STEP = 24;
/** The results in the strip beneath. */
const RECENT = 24;

export function ResultStage() {
  const where = useView((state) => state.stage);
  if (where === "window") {
    return (
      <OwnWindow>
        <Content inWindow />
      </OwnWindow>
    );
  }
  return where === "docked" ? <Docked /> : null;
}

function Docked() {
  const width = useView((state) => state.stageWidth) ?? standardWidth();
  return (
    <aside
      className="result-stage"
      aria-label={t("Stage")}
      style={{ "--stage-width": `${width}px` } as React.CSSProperties}
    >
      <Edge width={width} />
      <Content inWindow={false} />
    </aside>
  );
}

function standardWidth(): number {
  return Math.round(Math.min(Math.max(window.innerWidth * SHARE, NARROWEST), WIDEST));
}

/** The inner edge, which sets the width. */
function Edge({ width }: { width: number }) {
  const widest = Math.max(NARROWEST, Math.round(window.innerWidth * 0.7));
  const resize = (to: number) =>
    useView.setState({ stageWidth: Math.round(Math.min(Math.max(to, NARROWEST), widest)) });
  const handlers = usePointerDrag<number, HTMLDivElement>({
    begin: () => width,
    move: (_, event, edge) => {
      const end = edge.parentElement?.getBoundingClientRect();
      if (end === undefined) return;
      const isLeftToRight = getComputedStyle(edge).direction === "ltr";
      resize(isLeftToRight ? end.right - event.clientX : event.clientX - end.left);
    },
    cancel: resize,
  });
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowLeft: STEP, ArrowRight: -STEP }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    resize(width + by);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: an hr element cannot be dragged
    <div
      className="stage-edge"
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label={t("Width of the stage")}
      aria-valuenow={width}
      aria-valuemin={NARROWEST}
      aria-valuemax={widest}
      // Else the browser drags the picture beside it, and no more moves arrive here.
      onMouseDown={(event) => event.preventDefault()}
      {...handlers}
      onDoubleClick={() => useView.setState({ stageWidth: null })}
      onKeyDown={onKeyDown}
    />
  );
}

/** Draws its children in the second window, with the editor's styles; ends with either window. */
function OwnWindow({ children }: { children: React.ReactNode }) {
  const [room, setRoom] = useState<HTMLElement | null>(null);
  useEffect(() => {
    const own = stageWindow();
    if (own === null) {
      closeStage();
      return;
    }
    const { document: page } = own;
    page.title = `${t("Stage")} · Calotype`;
    page.documentElement.lang = document.documentElement.lang;
    page.documentElement.dataset.theme = document.documentElement.dataset.theme;
    // As text: a style sheet would have to be fetched again, and the server may be away.
    const style = page.createElement("style");
    style.textContent = [...document.styleSheets].map(rulesOf).join("\n");
    page.head.replaceChildren(style);
    const root = page.createElement("main");
    root.className = "stage-window";
    page.body.replaceChildren(root);
    setRoom(root);
    const closed = () => {
      if (stageWindow() === own) closeStage();
      if (useLightbox.getState().within === page) closeLightbox();
    };
    const leave = () => own.close();
    own.addEventListener("pagehide", closed);
    window.addEventListener("pagehide", leave);
    return () => {
      own.removeEventListener("pagehide", closed);
      window.removeEventListener("pagehide", leave);
      own.close();
    };
  }, []);
  return room === null ? null : createPortal(children, room);
}

function rulesOf(sheet: CSSStyleSheet): string {
  return [...sheet.cssRules].map((each) => each.cssText).join("\n");
}

function Content({ inWindow }: { inWindow: boolean }) {
  const past = useRuns((state) => state.past);
  const { job: chosen, compares } = useStage();
  const preview = useRuns((state) => Object.values(state.previews)[0]);
  const pictures = picturesOf(past);
  const index = chosen === null ? 0 : pictures.findIndex(({ id }) => id === chosen.id);
  const job = pictures[index] ?? chosen ?? undefined;
  const before = index < 0 ? undefined : pictures[index + 1];
  const showsPreview = preview !== undefined && chosen === null;
  const canCompare = job !== undefined && before !== undefined && !showsPreview;
  return (
    <>
      <header>
        <h2>{showsPreview ? t("In progress") : t("Result")}</h2>
        <IconButton
          label={t("Before and after")}
          title={t("Compare with the result before it")}
          icon={SplitSquareHorizontal}
          pressed={compares}
          disabled={!canCompare}
          onClick={() => useStage.setState({ compares: !compares })}
        />
        {inWindow ? (
          <IconButton
            label={t("Dock the stage beside the graph")}
            icon={PanelRight}
            onClick={dockStage}
          />
        ) : (
          <IconButton
            label={t("Move the stage to a window of its own")}
            icon={ExternalLink}
            onClick={openStageWindow}
          />
        )}
        <IconButton label={t("Close the stage")} icon={X} onClick={closeStage} />
      </header>
      <div className="stage-picture">
        {showsPreview ? (
          <img className="live" src={preview} alt={t("Preview of the current run")} />
        ) : job === undefined ? (
          <p className="empty">{t("The next picture appears here. Press Run.")}</p>
        ) : compares && before !== undefined ? (
          <Compared job={job} before={before} />
        ) : (
          <Arriving job={job} />
        )}
      </div>
      {job !== undefined && <Facts job={job} />}
      {pictures.length > 1 && <Recent pictures={pictures.slice(0, RECENT)} shown={job?.id} />}
    </>
  );
}

function addressOf(job: ListedJob): string {
  const made = outputOf(job);
  return made === null ? "" : viewUrl(made.file);
}

/** Opens the viewer in the window whose stage was pressed. */
function open(job: ListedJob, pressed: Element): void {
  const made = outputOf(job);
  if (made !== null) openPicture({ file: made.file, job: job.id, page: pressed.ownerDocument });
}

function Compared({ job, before }: { job: ListedJob; before: ListedJob }) {
  return (
    <Suspense>
      <Wipe
        one={addressOf(before)}
        other={addressOf(job)}
        onOpen={(url, pressed) => open(url === addressOf(job) ? job : before, pressed)}
      />
    </Suspense>
  );
}

/** A picture that fades in above the one before it. */
function Arriving({ job }: { job: ListedJob }) {
  const url = addressOf(job);
  const made = outputOf(job);
  const [under, setUnder] = useState<string | null>(null);
  return (
    <button
      type="button"
      className="stage-open"
      aria-label={t("Open in the viewer")}
      data-picture={pictureOf(job)}
      draggable
      onDragStart={(event) => made !== null && writeDragged(event.dataTransfer, made.file)}
      onClick={({ currentTarget }) => open(job, currentTarget)}
    >
      {under !== null && under !== url && <img src={under} alt="" draggable={false} />}
      <img
        key={url}
        className="arriving"
        src={url}
        alt={job.excerpt ?? t("The last result")}
        draggable={false}
        onAnimationEnd={() => setUnder(url)}
      />
    </button>
  );
}

function useResult({ id }: ListedJob): Result | null {
  const [result, setResult] = useState<Result | null>(null);
  useEffect(() => {
    let ended = false;
    readResult(id).then((found) => {
      if (!ended) setResult(found);
    }, notifyError);
    return () => {
      ended = true;
    };
  }, [id]);
  return result?.job === id ? result : null;
}

/** The prompt, the seed and the actions beneath the picture. */
function Facts({ job }: { job: ListedJob }) {
  const editor = useEditor();
  const result = useResult(job);
  const { execution_start_time: start, execution_end_time: end } = job;
  const facts = result?.facts;
  const made = outputOf(job);
  const words = [
    facts?.seed == null ? null : t("Seed {{seed}}", { seed: facts.seed }),
    start === undefined || end === undefined ? null : spanOf((end - start) / 1000),
    facts?.models[0] ?? null,
  ].filter((each) => each !== null);
  return (
    <footer className="stage-facts">
      <p className="stage-prompt" title={facts?.positive ?? ""}>
        {facts?.positive ?? job.excerpt ?? ""}
      </p>
      <p className="stage-line">{words.join(" · ")}</p>
      <div className="stage-actions">
        <IconButton
          label={t("Open in the viewer")}
          icon={Maximize}
          onClick={({ currentTarget }) => open(job, currentTarget)}
        />
        <IconButton
          label={t("Download")}
          icon={ImageDown}
          onClick={() => void downloadJobs([job.id])}
        />
        <IconButton
          label={t("Use as an input")}
          icon={ImageUp}
          disabled={made === null}
          onClick={() => made !== null && giveAsInput(editor, made.file)}
        />
        <IconButton
          label={t("Open its workflow")}
          icon={FileInput}
          onClick={() => void openResult(job.id)}
        />
      </div>
    </footer>
  );
}

function Recent({
  pictures,
  shown,
}: {
  pictures: readonly ListedJob[];
  shown: string | undefined;
}) {
  return (
    <ul className="stage-recent" aria-label={t("Recent results")}>
      {pictures.map((job, index) => {
        const made = outputOf(job);
        if (made === null) return null;
        return (
          <li key={job.id}>
            <button
              type="button"
              aria-label={t("Show {{name}}", { name: made.file.filename })}
              aria-current={job.id === shown}
              data-picture={pictureAttribute(made, job.id)}
              onClick={() => useStage.setState({ job: index === 0 ? null : job })}
            >
              <img src={thumbnailUrl(made.file, 96)} alt="" loading="lazy" draggable={false} />
            </button>
          </li>
        );
      })}
    </ul>
  );
}
