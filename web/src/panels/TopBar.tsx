/** The top bar: the open documents, and the commands for the whole document. */

import {
  Columns2,
  Download,
  Image as ImageIcon,
  Moon,
  PanelRight,
  Redo2,
  Save,
  Search,
  Sun,
  Undo2,
} from "lucide-react";
import { Suspense, useRef, useState } from "react";
import { keyFor, withKey } from "../state/commands/keymap";
import { download } from "../state/files/files";
import { runCommand } from "../state/session/commandRegistry";
import { useEditor } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import { redoEdit, undoEdit, useActive, useShowsApp } from "../state/session/studio";
import { useView } from "../state/session/view";
import { IconButton } from "../widgets/IconButton";
import { part } from "../widgets/part";
import { t, translateMessage } from "../words/words";
import { Tabs } from "./Tabs";

const BrandMenu = part(() => import("./BrandMenu").then((module) => module.BrandMenu));

export function TopBar() {
  const editor = useEditor();
  const theme = useSetting("calotype.theme");
  const app = useShowsApp();
  return (
    <header className="top-bar">
      <Brand />
      <Tabs />
      <div className="actions">
        <ModeSwitch />
        <button
          type="button"
          className="finder"
          title={withKey(t("Search all commands"), "view.commands")}
          onClick={() => runCommand("view.commands")}
        >
          <Search size={13} aria-hidden />
          {t("Search or run a command")}
          <kbd>{keyFor("view.commands")}</kbd>
        </button>
        <i className="rule" />
        <UndoAndRedo />
        <i className="rule" />
        <IconButton
          label={t("Save")}
          title={withKey(t("Save"), "file.save")}
          icon={Save}
          onClick={() => runCommand("file.save")}
        />
        <IconButton
          label={t("Download")}
          title={t("Download as a file")}
          icon={Download}
          onClick={() => download(editor)}
        />
        <i className="rule" />
        <IconButton
          label={theme === "light" ? t("Dark theme") : t("Light theme")}
          icon={theme === "light" ? Moon : Sun}
          onClick={() => runCommand("view.theme")}
        />
        {!app && <SidePanels />}
      </div>
    </header>
  );
}

/** The logo, which opens the menu of files, settings and help. */
function Brand() {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button
        ref={button}
        type="button"
        className="brand"
        aria-label={t("Menu")}
        aria-haspopup="menu"
        aria-expanded={open}
        data-tip={t("Menu")}
        onClick={() => setOpen(!open)}
      >
        <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden>
          <circle cx="16" cy="16" r="11" fill="none" stroke="var(--accent)" strokeWidth="3" />
          <circle cx="16" cy="16" r="3.6" fill="var(--type-conditioning)" />
        </svg>
      </button>
      <Suspense>{open && <BrandMenu button={button} onClose={() => setOpen(false)} />}</Suspense>
    </>
  );
}

function SidePanels() {
  const isSplit = useView((state) => state.split !== null);
  const inspector = useView((state) => state.inspector);
  const stage = useView((state) => state.stage === "docked" || state.stage === "window");
  return (
    <>
      <IconButton
        label={t("Split view")}
        title={withKey(t("Split view: two workflows side by side"), "view.split")}
        icon={Columns2}
        pressed={isSplit}
        onClick={() => runCommand("view.split")}
      />
      <IconButton
        label={t("Stage")}
        title={withKey(t("Stage: the newest result, large"), "view.stage")}
        icon={ImageIcon}
        pressed={stage}
        onClick={() => runCommand("view.stage")}
      />
      <IconButton
        label={t("Inspector")}
        title={withKey(t("Inspector"), "view.inspector")}
        icon={PanelRight}
        pressed={inspector}
        onClick={() => useView.setState({ inspector: !inspector })}
      />
    </>
  );
}

function ModeSwitch() {
  const app = useShowsApp();
  return (
    <fieldset className="mode-switch" aria-label={t("Show as")}>
      <button type="button" aria-pressed={!app} onClick={() => app && runCommand("view.app")}>
        {t("Graph")}
      </button>
      <button
        type="button"
        aria-pressed={app}
        title={keyFor("view.app")}
        onClick={() => app || runCommand("view.app")}
      >
        {t("App")}
      </button>
    </fieldset>
  );
}

function UndoAndRedo() {
  const editor = useEditor();
  const done = useActive((tab) => tab.log.done.at(-1)?.label);
  const undone = useActive((tab) => tab.log.undone.at(-1)?.label);
  return (
    <>
      <IconButton
        label={t("Undo")}
        title={
          done === undefined
            ? t("Nothing to undo")
            : withKey(t("Undo: {{what}}", { what: translateMessage(done) }), "edit.undo")
        }
        icon={Undo2}
        disabled={done === undefined}
        onClick={() => undoEdit(editor)}
      />
      <IconButton
        label={t("Redo")}
        title={
          undone === undefined
            ? t("Nothing to redo")
            : withKey(t("Redo: {{what}}", { what: translateMessage(undone) }), "edit.redo")
        }
        icon={Redo2}
        disabled={undone === undefined}
        onClick={() => redoEdit(editor)}
      />
    </>
  );
}
