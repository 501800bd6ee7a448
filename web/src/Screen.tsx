/** The whole screen: the canvas at once, the panels as soon as they are loaded. */
import { type ComponentType, lazy, type ReactNode, Suspense, useEffect, useState } from "react";
import { Canvas } from "./canvas/Canvas";
import { laterParts, PictureMenu } from "./canvas/lazyParts";
import { NoticeBar } from "./panels/NoticeBar";
import { Rail } from "./panels/Rail";
import { RunBar } from "./panels/RunBar";
import { TopBar } from "./panels/TopBar";
import { useMasking } from "./state/fields/masking";
import { useDifference } from "./state/results/difference";
import { useActive, useShowsApp, useStudio } from "./state/session/studio";
import { heightOfDock, notifyError, useView } from "./state/session/view";
import { fetchWithRetry } from "./widgets/fetchWithRetry";
import { part } from "./widgets/part";
// Styles of the panels' placeholders: the canvas must not change its size when panels load.
import "./panels/dock.css";
import "./panels/inspector.css";

type Panels = typeof import("./panels/lazyPanels");

// Fetched at once rather than at first use, when the server may be unreachable.
const panels = fetchWithRetry(() => import("./panels/lazyPanels"), notifyError);

/**
 * Each panel has its own boundary: one that loads must not hide another that is being typed into.
 */
function lazyPanel(choose: (module: Panels) => ComponentType, fallback?: ReactNode) {
  const Part = lazy(async () => ({ default: choose(await panels) }));
  return () => (
    <Suspense fallback={fallback}>
      <Part />
    </Suspense>
  );
}

const Announcer = lazyPanel((module) => module.Announcer);
const CommandPalette = lazyPanel((module) => module.CommandPalette);
const ConflictBar = lazyPanel((module) => module.ConflictBar);
const Dock = lazyPanel((module) => module.Dock, <DockPlace />);
const Inspector = lazyPanel(
  (module) => module.Inspector,
  <aside className="inspector" aria-busy="true" />,
);
const Palette = lazyPanel((module) => module.Palette);
const PluginDialog = lazyPanel((module) => module.PluginDialog);
const Question = lazyPanel((module) => module.Question);
const ResultOverlays = lazyPanel((module) => module.ResultOverlays);
const ResultSide = lazyPanel((module) => module.ResultSide);
/** Outside of `Screen`, so that the settings stay open while the language changes. */
export const Sheets = lazyPanel((module) => module.Sheets);
const Shortcuts = lazyPanel((module) => module.Shortcuts);
const Workflows = lazyPanel((module) => module.Workflows);
const AppMode = part(() => import("./panels/app/AppMode").then((module) => module.AppMode));
const MaskEditor = part(
  () => import("./panels/mask/MaskEditor").then((module) => module.MaskEditor),
  true,
);
const EmptyCanvas = part(() => import("./panels/EmptyCanvas").then((module) => module.EmptyCanvas));
const ResultStage = part(() => import("./panels/ResultStage").then((module) => module.ResultStage));
const SplitCanvas = part(() => import("./SplitCanvas").then((module) => module.SplitCanvas));
const Models = part(() => import("./panels/Models").then((module) => module.Models));
const Library = part(() => import("./panels/Library").then((module) => module.Library));
const Outline = part(() => import("./panels/Outline").then((module) => module.Outline));
const Connect = part(() => import("./panels/Connect").then((module) => module.Connect));

/** The whole screen except the settings dialog; remounted when the language changes. */
export function Screen() {
  const inspector = useView((state) => state.inspector);
  const models = useView((state) => state.models);
  const library = useView((state) => state.library);
  const workflows = useView((state) => state.workflows);
  const outline = useView((state) => state.outline);
  const connecting = useView((state) => state.connecting !== null);
  const app = useShowsApp();
  const isLoaded = useIsLoaded();
  const stage = useView((state) => state.stage === "docked" || state.stage === "window");
  const comparing = useDifference((state) => state.compared !== null);
  const masking = useMasking((state) => state.open !== null);
  return (
    <div
      className={inspector || comparing ? "studio with-inspector" : "studio"}
      aria-busy={!isLoaded}
    >
      <TopBar />
      {app ? (
        <Suspense>
          <AppMode />
        </Suspense>
      ) : (
        <>
          <Rail />
          <main className="stage">
            <Documents />
            <RunBar />
            <NoticeBar />
            <ConflictBar />
            {workflows && <Workflows />}
            <Suspense>{outline && <Outline />}</Suspense>
            <Suspense>{models && <Models />}</Suspense>
            <Suspense>{library && <Library />}</Suspense>
          </main>
          <Suspense>{stage && <ResultStage />}</Suspense>
          {comparing ? <ResultSide /> : inspector && <Inspector />}
          <Dock />
        </>
      )}
      <Announcer />
      <Palette />
      <Suspense>{connecting && <Connect />}</Suspense>
      <CommandPalette />
      <ResultOverlays />
      <PictureMenu />
      <Shortcuts />
      <PluginDialog />
      <Suspense>{masking && <MaskEditor />}</Suspense>
      <Question />
    </div>
  );
}

/** The canvas of the active document, or of two documents side by side. */
function Documents() {
  const active = useStudio((state) => state.active);
  const isSplit = useView((state) => state.split !== null);
  const isEmpty = useActive(
    ({ graph, level }) =>
      level.length === 0 && graph.order.length === 0 && graph.groups.length === 0,
  );
  if (isSplit) {
    return (
      <Suspense>
        <SplitCanvas />
      </Suspense>
    );
  }
  return (
    <>
      <Canvas view={active} />
      <Suspense>{isEmpty && <EmptyCanvas />}</Suspense>
    </>
  );
}

/** Whether everything beyond the first graph is loaded. */
function useIsLoaded(): boolean {
  const [isLoaded, setIsLoaded] = useState(false);
  useEffect(() => {
    const commands = fetchWithRetry(() => import("./state/commands/all"), notifyError);
    Promise.all([panels, laterParts, commands]).then(() => setIsLoaded(true), notifyError);
  }, []);
  return isLoaded;
}

/** A placeholder with the dock's height. */
function DockPlace() {
  const open = useView((state) => state.dock !== null);
  const height = useView(heightOfDock);
  return (
    <section
      className={open ? "dock" : "dock closed"}
      style={open ? { height } : undefined}
      aria-busy="true"
    />
  );
}
