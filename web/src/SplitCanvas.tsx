/** The split view: two views of open documents, with an edge between them that is dragged. */
import { X } from "lucide-react";
import { type KeyboardEvent, Suspense, useLayoutEffect, useRef } from "react";
import { Canvas } from "./canvas/Canvas";
import { closeSplit, focusSide, followDocuments, LEAST_SHARE } from "./state/editing/splitView";
import { EditorContext } from "./state/session/editor";
import { documentOf, secondViewOf, viewOf } from "./state/session/sides";
import { activeOf, isDirty, tabIn, useStudio } from "./state/session/studio";
import { useView } from "./state/session/view";
import { IconButton } from "./widgets/IconButton";
import { part } from "./widgets/part";
import { usePointerDrag } from "./widgets/pointerDrag";
import { t } from "./words/words";
import "./splitCanvas.css";

const AppMode = part(() => import("./panels/app/AppMode").then((module) => module.AppMode));
const EmptyCanvas = part(() => import("./panels/EmptyCanvas").then((module) => module.EmptyCanvas));

const KEY_STEP = 0.02;

export function SplitCanvas() {
  const split = useView((state) => state.split);
  useLayoutEffect(followDocuments, []);
  useLayoutEffect(focusBeforePress, []);
  if (split === null) return null;
  const [left, right] = split.panes;
  return (
    <div className="split" style={{ "--share": split.share } as React.CSSProperties}>
      <Pane key={left} view={left} />
      <Edge share={split.share} />
      <Pane key={right} view={right} isForm={split.form === true} />
    </div>
  );
}

/**
 * A press in a side gives it the focus before anything else handles the press. Registered on the
 * window when the split view is laid out, so before the canvases' own listeners.
 */
function focusBeforePress(): () => void {
  const press = ({ target }: PointerEvent) => {
    const pane = target instanceof Element ? target.closest<HTMLElement>("[data-pane]") : null;
    if (pane?.dataset.pane !== undefined) focusSide(pane.dataset.pane, pane);
  };
  window.addEventListener("pointerdown", press, true);
  return () => window.removeEventListener("pointerdown", press, true);
}

interface PaneProps {
  view: string;
  /** Whether it shows the document's form instead of its graph. */
  isForm?: boolean;
}

function Pane({ view, isForm = false }: PaneProps) {
  const tab = useStudio((state) => tabIn(state, view));
  const isFocused = useStudio((state) => viewOf(activeOf(state)) === view);
  if (tab === undefined) return null;
  const { graph, level } = tab;
  const isSecond = view === secondViewOf(documentOf(view));
  const name = isForm
    ? t("Form of {{name}}", { name: tab.name })
    : isSecond
      ? t("{{name}}, second view", { name: tab.name })
      : tab.name;
  const isEmpty = level.length === 0 && graph.order.length === 0 && graph.groups.length === 0;
  return (
    <section
      className={isFocused ? "pane focused" : "pane"}
      aria-label={name}
      data-pane={view}
      onFocusCapture={(event) => focusSide(view, event.currentTarget)}
      onDropCapture={(event) => focusSide(view, event.currentTarget)}
    >
      <header>
        <span className="name" title={name}>
          {name}
          {isDirty(tab) && <i className="dot" aria-hidden />}
        </span>
        <IconButton
          label={t("Close this side")}
          title={t("Close this side; the workflow stays open in its tab")}
          icon={X}
          onClick={() => closeSplit(view)}
        />
      </header>
      <div className="pane-body">
        {isForm ? (
          <EditorContext value={view}>
            <Suspense>
              <AppMode isBeside />
            </Suspense>
          </EditorContext>
        ) : (
          <>
            <Canvas view={view} />
            <Suspense>{isEmpty && <EmptyCanvas />}</Suspense>
          </>
        )}
      </div>
    </section>
  );
}

/** The edge between the sides: dragged, or moved by the arrow keys; a double click halves. */
function Edge({ share }: { share: number }) {
  const edge = useRef<HTMLDivElement>(null);
  const resize = (to: number) =>
    useView.setState(({ split }) =>
      split === null
        ? {}
        : { split: { ...split, share: Math.min(Math.max(to, LEAST_SHARE), 1 - LEAST_SHARE) } },
    );
  const handlers = usePointerDrag({
    begin: () => share,
    move: (_, event) => {
      const whole = edge.current?.parentElement?.getBoundingClientRect();
      if (edge.current === null || whole === undefined || whole.width === 0) return;
      const isLeftToRight = getComputedStyle(edge.current).direction === "ltr";
      const width = isLeftToRight ? event.clientX - whole.left : whole.right - event.clientX;
      resize(width / whole.width);
    },
    cancel: resize,
  });
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -KEY_STEP, ArrowRight: KEY_STEP }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    resize(share + by);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: an hr element cannot be dragged
    <div
      ref={edge}
      className="split-edge"
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label={t("Width of the left side")}
      aria-valuenow={Math.round(share * 100)}
      aria-valuemin={LEAST_SHARE * 100}
      aria-valuemax={100 - LEAST_SHARE * 100}
      onDoubleClick={() => resize(0.5)}
      onKeyDown={onKeyDown}
      {...handlers}
    />
  );
}
