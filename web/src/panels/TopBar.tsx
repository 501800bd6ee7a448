/** The top bar: the open documents, and the commands for the whole document. */
import { Download, Moon, PanelRight, Redo2, Save, Search, Sun, Undo2 } from "lucide-react";
import { runCommand } from "../state/commands";
import { download } from "../state/files/files";
import { keyFor, withKey } from "../state/keymap";
import { useSetting } from "../state/settings";
import { redoEdit, undoEdit, useActive, useShowsApp } from "../state/studio";
import { useView } from "../state/view";
import { IconButton } from "../widgets/IconButton";
import { t, translateMessage } from "../words/words";
import { Tabs } from "./Tabs";

export function TopBar() {
  const theme = useSetting("calotype.theme");
  const inspector = useView((state) => state.inspector);
  const app = useShowsApp();
  return (
    <header className="top-bar">
      <span className="brand" aria-hidden>
        <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden>
          <circle cx="16" cy="16" r="11" fill="none" stroke="var(--accent)" strokeWidth="3" />
          <circle cx="16" cy="16" r="3.6" fill="var(--type-conditioning)" />
        </svg>
      </span>
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
          onClick={download}
        />
        <i className="rule" />
        <IconButton
          label={theme === "light" ? t("Dark theme") : t("Light theme")}
          icon={theme === "light" ? Moon : Sun}
          onClick={() => runCommand("view.theme")}
        />
        {!app && (
          <IconButton
            label={t("Inspector")}
            title={withKey(t("Inspector"), "view.inspector")}
            icon={PanelRight}
            pressed={inspector}
            onClick={() => useView.setState({ inspector: !inspector })}
          />
        )}
      </div>
    </header>
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
        onClick={undoEdit}
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
        onClick={redoEdit}
      />
    </>
  );
}
