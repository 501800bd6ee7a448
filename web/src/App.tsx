/** The studio: starts what runs beside the screen, and puts the rooms together. */
import { lazy, Suspense, useEffect, useState } from "react";
import type { Declared } from "./api/extensions";
import { Canvas } from "./canvas/Canvas";
import { Announcer } from "./panels/Announcer";
import { Boundary } from "./panels/Boundary";
import { CommandPalette } from "./panels/CommandPalette";
import { ConflictBar } from "./panels/ConflictBar";
import { Dock } from "./panels/Dock";
import { Inspector } from "./panels/Inspector";
import { NoticeBar } from "./panels/NoticeBar";
import { Palette } from "./panels/Palette";
import { PluginDialog } from "./panels/PluginDialog";
import { Question } from "./panels/Question";
import { Rail } from "./panels/Rail";
import { ResultRooms, ResultSide } from "./panels/ResultRooms";
import { RunBar } from "./panels/RunBar";
import { Sheets } from "./panels/Sheets";
import { Shortcuts } from "./panels/Shortcuts";
import { TopBar } from "./panels/TopBar";
import { watchApps } from "./state/app";
import { watchProblems } from "./state/checking";
import { addCommands } from "./state/commands";
import { COMMANDS } from "./state/commands/all";
import { followFields } from "./state/commands/fields";
import { addPluginCommands, useExtensions } from "./state/extensions";
import { fieldServices } from "./state/fieldServices";
import { refreshCatalog } from "./state/files";
import { keepJournals } from "./state/keeping";
import { hearKeys } from "./state/keymap";
import { useMasking } from "./state/masking";
import { watchMissing } from "./state/missing";
import { restore } from "./state/restore";
import { connect, refreshJobs, runOnChange, showLastResults } from "./state/running";
import { watchSaved } from "./state/saving";
import { loadSettings, setting, useSetting } from "./state/settings";
import { activeTab } from "./state/studio";
import { watchVersions } from "./state/versions";
import { keepView, tellError, useView, wordsOf } from "./state/view";
import { watchRun } from "./state/watch";
import { FieldServicesContext } from "./widgets/services";
import { type Language, speak, t } from "./words/words";

/** Brings the room of plugins' pages once a plugin declares something. Returns what ends it. */
function bringExtensions(): () => void {
  let remove = () => {};
  let seen: unknown = null;
  const look = ({ declared }: { declared: readonly Declared[] }) => {
    if (declared === seen) return;
    seen = declared;
    remove();
    remove = addPluginCommands(declared);
    if (declared.length === 0) return;
    import("./extensions/parts").then(({ PARTS }) => useExtensions.setState(PARTS), tellError);
  };
  look(useExtensions.getState());
  const stop = useExtensions.subscribe(look);
  return () => {
    stop();
    remove();
  };
}

const AppMode = lazy(() =>
  import("./panels/app/AppMode").then((room) => ({ default: room.AppMode })),
);
const MaskEditor = lazy(() =>
  import("./panels/mask/MaskEditor").then((room) => ({ default: room.MaskEditor })),
);
const loadWorkflows = () => import("./panels/Workflows");
const Workflows = lazy(() => loadWorkflows().then((room) => ({ default: room.Workflows })));
const Outline = lazy(() => import("./panels/Outline").then((room) => ({ default: room.Outline })));
const Connect = lazy(() => import("./panels/Connect").then((room) => ({ default: room.Connect })));
const Models = lazy(() => import("./panels/Models").then((room) => ({ default: room.Models })));

type Stage = "starting" | "ready" | { failed: string };

export function App() {
  const [stage, setStage] = useState<Stage>("starting");
  const theme = useSetting("calotype.theme");
  const language = useSetting("calotype.language");
  // Null until the words are here.
  const [spoken, setSpoken] = useState<string | null>(null);

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);

  useEffect(() => {
    speak(language as Language)
      .catch(tellError)
      .then(() => setSpoken(language));
  }, [language]);

  useEffect(() => {
    const endings = [addCommands(COMMANDS), bringExtensions(), hearKeys(), followFields()];
    return () => {
      for (const end of endings) end();
    };
  }, []);

  useEffect(() => {
    const endings: (() => void)[] = [];
    let ended = false;
    const begin = async () => {
      const settings = loadSettings();
      const catalog = refreshCatalog();
      // What is named from here on is named in the user's language.
      await speak(setting("calotype.language") as Language).catch(tellError);
      const restored = await restore(catalog);
      await settings;
      if (ended) return;
      endings.push(
        connect(),
        watchProblems(runOnChange),
        watchRun(),
        watchMissing(),
        watchApps(),
        keepJournals(),
        watchVersions(),
        watchSaved(),
        keepView(),
      );
      setStage("ready");
      // Here before it is asked for, perhaps while the server is away.
      loadWorkflows().catch(tellError);
      await refreshJobs();
      if (restored) await showLastResults(activeTab());
    };
    begin().catch((error: unknown) => {
      setStage({ failed: wordsOf(error) });
    });
    return () => {
      ended = true;
      for (const end of endings) end();
    };
  }, []);

  useEffect(() => {
    const failed = (event: PromiseRejectionEvent) => tellError(event.reason);
    window.addEventListener("unhandledrejection", failed);
    return () => window.removeEventListener("unhandledrejection", failed);
  }, []);

  if (stage === "starting" || spoken === null) return <div className="starting" aria-busy="true" />;
  if (stage !== "ready") {
    return (
      <div className="starting">
        <h1>{t("Calotype cannot be reached")}</h1>
        <p>{stage.failed}</p>
        <button type="button" className="primary" onClick={() => window.location.reload()}>
          {t("Try again")}
        </button>
      </div>
    );
  }
  return (
    <Boundary>
      <FieldServicesContext value={fieldServices}>
        <Screen key={spoken} />
        <Sheets />
      </FieldServicesContext>
    </Boundary>
  );
}

/**
 * All of the screen but the dialog of the settings, where one changes it: drawn anew when its
 * language changes.
 */
function Screen() {
  const inspector = useView((state) => state.inspector);
  const models = useView((state) => state.models);
  const workflows = useView((state) => state.workflows);
  const outline = useView((state) => state.outline);
  const connecting = useView((state) => state.connecting !== null);
  const app = useView((state) => state.app);
  const masking = useMasking((state) => state.open !== null);
  return (
    <div className={inspector ? "studio with-inspector" : "studio"}>
      <TopBar />
      {app ? (
        <Suspense>
          <AppMode />
        </Suspense>
      ) : (
        <>
          <Rail />
          <main className="stage">
            <Canvas />
            <RunBar />
            <NoticeBar />
            <ConflictBar />
            <Suspense>{workflows && <Workflows />}</Suspense>
            <Suspense>{outline && <Outline />}</Suspense>
            <ResultSide />
            <Suspense>{models && <Models />}</Suspense>
          </main>
          {inspector && <Inspector />}
          <Dock />
        </>
      )}
      <Announcer />
      <Palette />
      <Suspense>{connecting && <Connect />}</Suspense>
      <CommandPalette />
      <ResultRooms />
      <Shortcuts />
      <PluginDialog />
      <Suspense>{masking && <MaskEditor />}</Suspense>
      <Question />
    </div>
  );
}
