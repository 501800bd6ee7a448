/** The studio: starts what runs beside the screen, and puts the rooms together. */
import { useEffect, useState } from "react";
import { Canvas } from "./canvas/Canvas";
import { askName } from "./canvas/keys";
import { Dock } from "./panels/Dock";
import { Inspector } from "./panels/Inspector";
import { Lightbox } from "./panels/Lightbox";
import { NoticeBar } from "./panels/NoticeBar";
import { Palette } from "./panels/Palette";
import { Rail } from "./panels/Rail";
import { RunBar } from "./panels/RunBar";
import { Shortcuts } from "./panels/Shortcuts";
import { TopBar } from "./panels/TopBar";
import { Workflows } from "./panels/Workflows";
import { keepDrafts, restore } from "./state/draft";
import { refreshCatalog } from "./state/files";
import { connect, refreshJobs, showLastResults, watchProblems } from "./state/running";
import { activeTab } from "./state/studio";
import { keepView, tellError, useView } from "./state/view";

type Stage = "starting" | "ready" | { failed: string };

export function App() {
  const [stage, setStage] = useState<Stage>("starting");
  const theme = useView((state) => state.theme);
  const inspector = useView((state) => state.inspector);

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);

  useEffect(() => {
    const endings: (() => void)[] = [];
    let ended = false;
    const begin = async () => {
      const restored = await restore(refreshCatalog());
      if (ended) return;
      endings.push(connect(), watchProblems(), keepDrafts(), keepView());
      setStage("ready");
      await refreshJobs();
      if (restored) await showLastResults(activeTab());
    };
    begin().catch((error: unknown) => {
      setStage({ failed: error instanceof Error ? error.message : String(error) });
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

  if (stage === "starting") return <div className="starting" aria-busy="true" />;
  if (stage !== "ready") {
    return (
      <div className="starting">
        <h1>Calotype cannot be reached</h1>
        <p>{stage.failed}</p>
        <button type="button" className="primary" onClick={() => window.location.reload()}>
          Try again
        </button>
      </div>
    );
  }
  return (
    <div className={inspector ? "studio with-inspector" : "studio"}>
      <TopBar askName={askName} />
      <Rail />
      <main className="stage">
        <Canvas />
        <RunBar />
        <NoticeBar />
        <Workflows />
      </main>
      {inspector && <Inspector />}
      <Dock />
      <Palette />
      <Lightbox />
      <Shortcuts />
    </div>
  );
}
