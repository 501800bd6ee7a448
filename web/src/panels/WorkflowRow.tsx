/** One saved workflow in the list: open, rename, copy, delete. */
import { Copy, History, PenLine, Trash2 } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import type { SavedFile } from "../api/library";
import { openSaved, showVersions } from "../state/files/saving";
import { renameFile } from "../state/files/tabs";
import { deleteWorkflow, duplicateWorkflow, refreshWorkflows } from "../state/files/workflows";
import { FOLDER, lastPart, nameOf, pathOf } from "../state/session/paths";
import { notifyError } from "../state/session/view";
import { ago, dayAndTime } from "../words/format";
import { t } from "../words/words";

export function WorkflowRow({ file, onOpened }: { file: SavedFile; onOpened: () => void }) {
  const [renaming, setRenaming] = useState(false);
  const path = `${FOLDER}/${file.path}`;
  const name = nameOf(file.path);
  const empty = file.size === 0;
  if (renaming) return <Renamer name={name} path={path} onDone={() => setRenaming(false)} />;
  const remove = () => void deleteWorkflow(path).catch(notifyError);
  const keys = (event: KeyboardEvent) => {
    if (event.key === "F2") setRenaming(true);
    else if (event.key === "Delete") remove();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <li className="file">
      <button
        type="button"
        className="open"
        aria-label={empty ? t("{{name}}, empty file", { name: lastPart(name) }) : lastPart(name)}
        title={dayAndTime(file.modified)}
        onKeyDown={keys}
        onClick={() => {
          onOpened();
          void openSaved(path);
        }}
      >
        <span className="name">{lastPart(name)}</span>
        {empty ? (
          <span className="broken" aria-hidden>
            {t("empty file")}
          </span>
        ) : (
          <span className="when" aria-hidden>
            {ago(file.modified)}
          </span>
        )}
      </button>
      <span className="tools">
        <Tool label={t("Versions of {{name}}", { name })} run={() => showVersions(path)}>
          <History size={13} aria-hidden />
        </Tool>
        <Tool label={t("Rename {{name}}", { name })} run={() => setRenaming(true)}>
          <PenLine size={13} aria-hidden />
        </Tool>
        <Tool
          label={t("Copy {{name}}", { name })}
          run={() => void duplicateWorkflow(path).catch(notifyError)}
        >
          <Copy size={13} aria-hidden />
        </Tool>
        <Tool label={t("Delete {{name}}", { name })} run={remove}>
          <Trash2 size={13} aria-hidden />
        </Tool>
      </span>
    </li>
  );
}

function Tool(props: { label: string; run: () => void; children: ReactNode }) {
  const { label, run, children } = props;
  return (
    <button type="button" className="ghost" aria-label={label} title={label} onClick={run}>
      {children}
    </button>
  );
}

function Renamer({ name, path, onDone }: { name: string; path: string; onDone: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.select(), []);
  const finish = (given: string) => {
    onDone();
    const wanted = given.trim().replace(/^\/+|\/+$/g, "");
    if (wanted === "" || wanted === name) return;
    renameFile(path, pathOf(wanted)).then(refreshWorkflows).catch(notifyError);
  };
  return (
    <li className="file">
      <input
        ref={field}
        aria-label={t("Name of {{name}}", { name })}
        title={t("Use a slash for a folder, as in portraits/first.")}
        defaultValue={name}
        spellCheck={false}
        onBlur={(event) => finish(event.currentTarget.value)}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Enter") event.currentTarget.blur();
          if (event.key === "Escape") onDone();
        }}
      />
    </li>
  );
}
