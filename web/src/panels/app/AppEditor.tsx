/** The editor of an app: its fields, their order and labels, and its results. */

import { ArrowDown, ArrowUp, Plus, Sparkles, X } from "lucide-react";
import { useState } from "react";
import { type App, fieldKey } from "../../document/app";
import {
  addField,
  availableFields,
  changeApp,
  changeField,
  moveField,
  resultNodes,
  suggestApp,
  toggleOutput,
} from "../../state/editing/app";
import { titleOf } from "../../state/nodes/naming";
import { useEditor } from "../../state/session/editor";
import { useActive, useStudio } from "../../state/session/studio";
import { t } from "../../words/words";

/** The most fields listed; typing narrows the list. */
const LISTED = 60;

export function AppEditor({ app }: { app: App }) {
  const editor = useEditor();
  return (
    <div className="app-editor">
      <ol aria-label={t("Fields of the form")}>
        {app.fields.map((each, index) => (
          <Line key={fieldKey(each)} app={app} at={index} />
        ))}
      </ol>
      {app.fields.length === 0 && <p className="quiet">{t("No field is chosen yet.")}</p>}
      <Offered app={app} />
      <ResultChoice app={app} />
      <label>
        <input
          type="checkbox"
          checked={app.first}
          onChange={(event) => {
            const first = event.currentTarget.checked;
            changeApp(editor, "Open as an app", (before) => ({ ...before, first }));
          }}
        />
        {t("Open this workflow as an app")}
      </label>
      <button type="button" className="plain" onClick={() => suggestApp(editor)}>
        <Sparkles size={13} aria-hidden /> {t("Choose automatically")}
      </button>
    </div>
  );
}

function Line({ app, at }: { app: App; at: number }) {
  const editor = useEditor();
  const field = app.fields[at];
  const title = useStudio(({ catalog, tabs, active }) => {
    const node = tabs.find((each) => each.id === active)?.workflow.nodes[field?.node ?? ""];
    return node === undefined ? "" : titleOf(node, catalog[node.type]);
  });
  if (field === undefined) return null;
  const name = `${title}: ${field.widget}`;
  return (
    <li>
      <span className="name">{name}</span>
      <span className="acts">
        <button
          type="button"
          className="ghost"
          aria-label={t("Move {{name}} up", { name })}
          disabled={at === 0}
          onClick={() => moveField(editor, at, -1)}
        >
          <ArrowUp size={13} aria-hidden />
        </button>
        <button
          type="button"
          className="ghost"
          aria-label={t("Move {{name}} down", { name })}
          disabled={at === app.fields.length - 1}
          onClick={() => moveField(editor, at, 1)}
        >
          <ArrowDown size={13} aria-hidden />
        </button>
        <button
          type="button"
          className="ghost"
          aria-label={t("Remove {{name}}", { name })}
          onClick={() => changeField(editor, at, null)}
        >
          <X size={13} aria-hidden />
        </button>
      </span>
      <Words
        label={t("Name in the form")}
        value={field.label}
        onChange={(label) => changeField(editor, at, { label })}
      />
      <Words
        label={t("Heading above it")}
        value={field.heading}
        onChange={(heading) => changeField(editor, at, { heading })}
      />
    </li>
  );
}

interface WordsProps {
  label: string;
  value: string | null;
  onChange: (value: string | null) => void;
}

/** A text field that is applied when it loses the focus, so that typing is one undo step. */
function Words({ label, value, onChange }: WordsProps) {
  const keep = (text: string) => {
    const next = text.trim() === "" ? null : text.trim();
    if (next !== value) onChange(next);
  };
  return (
    <input
      key={value}
      type="text"
      aria-label={label}
      placeholder={label}
      defaultValue={value ?? ""}
      onBlur={(event) => keep(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") keep(event.currentTarget.value);
      }}
    />
  );
}

function Offered({ app }: { app: App }) {
  const editor = useEditor();
  const workflow = useActive((tab) => tab.workflow);
  const catalog = useStudio((state) => state.catalog);
  const [typed, setTyped] = useState("");
  const wanted = typed.trim().toLowerCase();
  const all = availableFields(workflow, catalog, app).map((each) => ({
    ...each,
    name: `${titleOf(each.source, catalog[each.source.type])}: ${each.widget}`,
  }));
  const shown = all.filter(({ name }) => name.toLowerCase().includes(wanted));
  return (
    <details className="app-offer">
      <summary>{t("Add a field")}</summary>
      <input
        type="search"
        aria-label={t("Search the fields")}
        placeholder={t("Search the fields")}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      <ul>
        {shown.slice(0, LISTED).map((each) => (
          <li key={fieldKey(each)}>
            <button type="button" onClick={() => addField(editor, each)}>
              <Plus size={13} aria-hidden /> {each.name}
            </button>
          </li>
        ))}
      </ul>
      {shown.length > LISTED && (
        <p className="quiet">{t("and {{count}} more", { count: shown.length - LISTED })}</p>
      )}
    </details>
  );
}

function ResultChoice({ app }: { app: App }) {
  const editor = useEditor();
  const workflow = useActive((tab) => tab.workflow);
  const catalog = useStudio((state) => state.catalog);
  return (
    <fieldset>
      <legend>{t("Results to show")}</legend>
      {resultNodes(workflow, catalog).map((key) => {
        const node = workflow.nodes[key];
        return node === undefined ? null : (
          <label key={key}>
            <input
              type="checkbox"
              checked={app.outputs.includes(key)}
              onChange={() => toggleOutput(editor, key)}
            />
            {titleOf(node, catalog[node.type])}
          </label>
        );
      })}
    </fieldset>
  );
}
