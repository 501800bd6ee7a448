/** The root component: starts the background tasks and provides the services of the packages. */
import { useEffect, useMemo, useState } from "react";
import type { Declaration } from "./api/extensions";
import type { DownloadsChanged } from "./api/types";
import { Boundary } from "./panels/Boundary";
import { prefetchWhenIdle } from "./prefetch";
import { Screen, Sheets } from "./Screen";
import { refreshCatalog } from "./state/catalog/catalog";
import { useExtensions } from "./state/catalog/extensions";
import { INITIAL_COMMANDS } from "./state/commands/initial";
import { listenForKeys } from "./state/commands/keymap";
import { addPluginCommands } from "./state/commands/pluginCommands";
import { fieldServicesOf } from "./state/fields/fieldServices";
import { handleFileDrops } from "./state/files/fileDrops";
import { startJournaling } from "./state/files/journaling";
import { watchNeeds } from "./state/files/needs";
import { restore } from "./state/files/restore";
import { watchVersions } from "./state/files/versions";
import { refreshJobs } from "./state/outcomes/jobs";
import { watchProblems } from "./state/runs/checking";
import { connect, runOnChange, showLastResults } from "./state/runs/running";
import { watchRun } from "./state/runs/watch";
import { addCommands } from "./state/session/commandRegistry";
import { useEditor } from "./state/session/editor";
import { guardComposition } from "./state/session/inputMethod";
import { loadSettings, setting, useSetting } from "./state/session/settings";
import { errorText, notifyError, persistView } from "./state/session/view";
import { fetchWithRetry } from "./widgets/fetchWithRetry";
import { FieldServicesContext } from "./widgets/services";
import { type Language, setLanguage, t } from "./words/words";

/**
 * Adds the first commands at once, all others when they are loaded. Returns a function that ends
 * it.
 */
function loadCommands(): () => void {
  let remove = addCommands(INITIAL_COMMANDS);
  let ended = false;
  const all = fetchWithRetry(() => import("./state/commands/all"), notifyError);
  all.then(({ COMMANDS, trackFocusedField }) => {
    if (ended) return;
    remove();
    const endings = [addCommands(COMMANDS), trackFocusedField()];
    remove = () => {
      for (const end of endings) end();
    };
  }, notifyError);
  return () => {
    ended = true;
    remove();
  };
}

/**
 * Loads the package for plugins' pages once a plugin declares something. Returns a function that
 * ends it.
 */
function loadExtensionParts(): () => void {
  let remove = () => {};
  let seen: unknown = null;
  const onDeclared = ({ declared }: { declared: readonly Declaration[] }) => {
    if (declared === seen) return;
    seen = declared;
    remove();
    remove = addPluginCommands(declared);
    if (declared.length === 0) return;
    const parts = fetchWithRetry(() => import("./extensions/parts"), notifyError);
    parts.then(({ PARTS }) => useExtensions.setState(PARTS), notifyError);
  };
  onDeclared(useExtensions.getState());
  const stop = useExtensions.subscribe(onDeclared);
  return () => {
    stop();
    remove();
  };
}

/** Packs have loaded or changed, and with them the classes of nodes. */
function packsChanged(): void {
  fetchWithRetry(() => import("./state/catalog/packs")).then(
    (all) => all.packsChanged(),
    notifyError,
  );
}

function downloadsChanged(news: DownloadsChanged): void {
  fetchWithRetry(() => import("./state/runs/downloads")).then(
    (all) => all.onDownloadsChanged(news),
    notifyError,
  );
}

/** Changes the language; where its texts cannot be fetched, the current language stays. */
function changeLanguage(language: Language): Promise<void> {
  return fetchWithRetry(() => setLanguage(language)).catch(notifyError);
}

type Stage = "starting" | "ready" | { failed: string };

/** What follows documents and runs once the editor is there; each returns what ends it. */
async function laterStarts(): Promise<(() => () => void)[]> {
  const [apps, saving, failures, closing, stage, tips] = await Promise.all([
    fetchWithRetry(() => import("./state/editing/app"), notifyError),
    fetchWithRetry(() => import("./state/files/saving"), notifyError),
    fetchWithRetry(() => import("./state/runs/staleFailures"), notifyError),
    fetchWithRetry(() => import("./state/runs/closing"), notifyError),
    fetchWithRetry(() => import("./state/results/stage"), notifyError),
    fetchWithRetry(() => import("./widgets/tips"), notifyError),
  ]);
  return [
    apps.watchApps,
    watchNeeds,
    saving.watchSaved,
    failures.watchFailures,
    closing.watchClosing,
    stage.watchStage,
    tips.watchTips,
    prefetchWhenIdle,
  ];
}

/** Loads the initial state and starts the subscriptions, which end with the component. */
function useStage(): Stage {
  const [stage, setStage] = useState<Stage>("starting");
  useEffect(() => {
    const endings: (() => void)[] = [];
    let ended = false;
    const begin = async () => {
      const settings = loadSettings();
      const catalog = refreshCatalog();
      // Names given from here on (such as "Untitled") need the user's language.
      await changeLanguage(setting("calotype.language") as Language);
      const restored = await restore(catalog);
      await settings;
      if (ended) return;
      endings.push(
        connect(packsChanged, downloadsChanged),
        watchProblems(runOnChange),
        watchRun(),
        startJournaling(),
        watchVersions(),
        persistView(),
      );
      setStage("ready");
      const starts = await laterStarts();
      if (!ended) endings.push(...starts.map((start) => start()));
      await refreshJobs();
      if (restored) await showLastResults();
    };
    begin().catch((error: unknown) => {
      setStage({ failed: errorText(error) });
    });
    return () => {
      ended = true;
      for (const end of endings) end();
    };
  }, []);
  return stage;
}

export function App() {
  const editor = useEditor();
  const services = useMemo(() => fieldServicesOf(editor), [editor]);
  const stage = useStage();
  const theme = useSetting("calotype.theme");
  const language = useSetting("calotype.language");
  // Null until the texts of the language are loaded.
  const [loadedLanguage, setLoadedLanguage] = useState<string | null>(null);

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);

  useEffect(() => {
    void changeLanguage(language as Language).then(() => setLoadedLanguage(language));
  }, [language]);

  useEffect(() => {
    const endings = [
      guardComposition(),
      loadCommands(),
      loadExtensionParts(),
      listenForKeys(),
      handleFileDrops(),
    ];
    return () => {
      for (const end of endings) end();
    };
  }, []);

  useEffect(() => {
    const failed = (event: PromiseRejectionEvent) => notifyError(event.reason);
    window.addEventListener("unhandledrejection", failed);
    return () => window.removeEventListener("unhandledrejection", failed);
  }, []);

  if (stage === "starting" || loadedLanguage === null)
    return <div className="starting" aria-busy="true" />;
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
      <FieldServicesContext value={services}>
        <Screen key={loadedLanguage} />
        <Sheets />
      </FieldServicesContext>
    </Boundary>
  );
}
