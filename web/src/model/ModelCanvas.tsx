/**
 * A model to look at from all sides: dragging turns it, the wheel or two fingers come nearer (on the
 * graph once it has the focus), the right button or two fingers move it. Below it its shading, its background and a way back.
 */
import { Maximize, RotateCcw } from "lucide-react";
import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from "react";
import { amount } from "../words/format";
import { t } from "../words/words";
import { AnimationBar } from "./AnimationBar";
import { loadModel } from "./loading";
import { openStage, type Stage } from "./stage";
import { type ModelView, SHADINGS, type Shading } from "./view";
import "./model.css";

interface Props {
  url: string;
  name: string;
  view: ModelView;
  /** The address of a picture behind the model. */
  behind?: string | undefined;
  /** Called when the user has changed the view. */
  onView: (view: ModelView) => void;
  onOpen?: (() => void) | undefined;
}

type State = "loading" | "shown" | "failed";

export function ModelCanvas({ url, name, view, behind, onView, onOpen }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const newest = useRef({ view, onView });
  newest.current = { view, onView };
  const { state, stage } = useStage(canvas, { url, name, behind }, newest);

  useEffect(() => stage?.show(view), [stage, view]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (stage?.key(event.key) !== true) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="model-view nodrag nopan" data-state={state}>
      <canvas
        key={`${url} ${behind}`}
        ref={canvas}
        tabIndex={0}
        role="img"
        aria-label={t("{{name}}, to be turned", { name })}
        onKeyDown={onKeyDown}
      />
      {state === "loading" && <p>{t("Loading")}</p>}
      {state === "failed" && <p role="alert">{t("{{name}} cannot be shown.", { name })}</p>}
      {state === "shown" && stage !== null && (
        <>
          {stage.scene.animation.names.length > 0 && (
            <AnimationBar stage={stage} view={view} onView={onView} />
          )}
          <Bar view={view} triangles={stage.scene.size.triangles} onView={onView} onOpen={onOpen} />
        </>
      )}
    </div>
  );
}

type Newest = Parameters<typeof openStage>[2];

/** Opens the stage of a model in a canvas, and closes it with the canvas. */
function useStage(
  canvas: RefObject<HTMLCanvasElement | null>,
  { url, name, behind }: Pick<Props, "url" | "name" | "behind">,
  newest: Newest,
): { state: State; stage: Stage | null } {
  const [state, setState] = useState<State>("loading");
  const stage = useRef<Stage | null>(null);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const controller = new AbortController();
    setState("loading");
    const open = async () => {
      const model = await loadModel(url, name, controller.signal);
      if (controller.signal.aborted) return;
      stage.current = openStage(element, model, newest);
      if (behind !== undefined) stage.current.behind(behind);
      setState("shown");
    };
    // The file is damaged or gone, or there is no WebGL.
    open().catch(() => {
      if (!controller.signal.aborted) setState("failed");
    });
    return () => {
      controller.abort();
      stage.current?.close();
      stage.current = null;
    };
  }, [canvas, newest, url, name, behind]);
  return { state, stage: stage.current };
}

function wordOf(shading: Shading): string {
  if (shading === "original") return t("Material");
  if (shading === "normal") return t("Normals");
  if (shading === "lineart") return t("Line drawing");
  return shading === "wireframe" ? t("Wireframe") : t("Clay");
}

interface BarProps extends Pick<Props, "view" | "onView" | "onOpen"> {
  triangles: number;
}

function Bar({ view, triangles, onView, onOpen }: BarProps) {
  return (
    <div className="model-bar">
      <select
        aria-label={t("Shading")}
        value={view.shading}
        onChange={(event) => onView({ ...view, shading: event.target.value as Shading })}
      >
        {SHADINGS.map((each) => (
          <option key={each} value={each}>
            {wordOf(each)}
          </option>
        ))}
      </select>
      <input
        type="color"
        aria-label={t("Background")}
        title={t("Background")}
        value={view.background}
        onChange={(event) => onView({ ...view, background: event.target.value })}
      />
      <button
        type="button"
        aria-label={t("Show all of it")}
        title={t("Show all of it")}
        onClick={() => onView({ ...view, camera_info: null })}
      >
        <RotateCcw size={13} aria-hidden />
      </button>
      {onOpen !== undefined && (
        <button
          type="button"
          aria-label={t("View at full size")}
          title={t("View at full size")}
          onClick={onOpen}
        >
          <Maximize size={13} aria-hidden />
        </button>
      )}
      <span>{t("{{number}} triangles", { number: amount(triangles) })}</span>
    </div>
  );
}
