/** The saved workflows by folder, the closed and deleted ones, and the import of files. */

import { FileUp, LayoutTemplate, Search } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { chooseFiles } from "../state/files/choosing";
import { reopen } from "../state/files/restore";
import {
  foldersOf,
  refreshWorkflows,
  restoreWorkflow,
  useWorkflows,
} from "../state/files/workflows";
import { useEditor } from "../state/session/editor";
import { lastPart, nameOf } from "../state/session/paths";
import { notifyError, openSheet, useView } from "../state/session/view";
import { ago } from "../words/format";
import { t } from "../words/words";
import { PanelHead } from "./PanelHead";
import { WorkflowRow } from "./WorkflowRow";
import "./workflows.css";

function close(): void {
  useView.setState({ workflows: false });
}

export function Workflows() {
  const files = useWorkflows((state) => state.files);
  const [typed, setTyped] = useState("");
  const search = useRef<HTMLInputElement>(null);
  useEffect(() => {
    void refreshWorkflows();
    search.current?.focus();
  }, []);
  const folders = foldersOf(files ?? [], typed);
  const searching = typed.trim() !== "";
  return (
    <aside
      className="drawer workflows"
      aria-label={t("Workflows")}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
      }}
    >
      <PanelHead title={t("Workflows")} onClose={close} />
      <label className="search">
        <Search size={13} aria-hidden />
        <input
          ref={search}
          aria-label={t("Search workflows")}
          placeholder={t("Search")}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
      <div className="lists">
        {folders.map(({ name, files: inside }) => (
          <Part key={name} name={name} count={inside.length} open>
            {inside.map((file) => (
              <WorkflowRow key={file.path} file={file} onOpened={close} />
            ))}
          </Part>
        ))}
        {files !== null && folders.length === 0 && (
          <p className="quiet">
            {searching ? t("No workflow matches.") : t("Saved workflows appear here.")}
          </p>
        )}
        {!searching && <Gone />}
      </div>
      <Elsewhere />
    </aside>
  );
}

/** The closed and deleted workflows that can be restored. */
function Gone() {
  const { closed, deleted } = useWorkflows();
  return (
    <>
      {closed.length > 0 && (
        <Part name={t("Closed recently")} count={closed.length} open={false}>
          {closed.map((each) => (
            <Kept
              key={each.id}
              name={each.name}
              when={each.closed}
              action={t("Open {{name}} again", { name: each.name })}
              run={() => {
                close();
                reopen(each).catch(notifyError);
              }}
            />
          ))}
        </Part>
      )}
      {deleted.length > 0 && (
        <Part name={t("Deleted")} count={deleted.length} open={false}>
          {deleted.map((each) => (
            <Kept
              key={each.path}
              name={lastPart(nameOf(each.from))}
              when={each.at}
              action={t("Restore {{name}}", { name: nameOf(each.from) })}
              run={() => void restoreWorkflow(each).catch(notifyError)}
            />
          ))}
        </Part>
      )}
    </>
  );
}

function Part(props: { name: string; count: number; open: boolean; children: ReactNode }) {
  const list = <ul>{props.children}</ul>;
  if (props.name === "") return list;
  return (
    <details open={props.open}>
      <summary>
        {props.name} <span>{props.count}</span>
      </summary>
      {list}
    </details>
  );
}

interface KeptItem {
  name: string;
  when: number;
  action: string;
  run: () => void;
}

function Kept({ name, when, action, run }: KeptItem) {
  return (
    <li className="file">
      <button type="button" className="open" title={action} aria-label={action} onClick={run}>
        <span className="name">{name}</span>
        <span className="when" aria-hidden>
          {ago(when)}
        </span>
      </button>
    </li>
  );
}

function Elsewhere() {
  const editor = useEditor();
  return (
    <footer>
      <button
        type="button"
        onClick={() => {
          close();
          openSheet("templates");
        }}
      >
        <LayoutTemplate size={13} aria-hidden /> {t("Start from a template")}
      </button>
      <button type="button" onClick={() => chooseFiles(editor, close)}>
        <FileUp size={13} aria-hidden /> {t("Open a file")}
      </button>
    </footer>
  );
}
