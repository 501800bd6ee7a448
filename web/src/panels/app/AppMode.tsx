/**
 * App mode: a workflow as a simple form with its results beside it; it edits the same values as the
 * graph.
 */

import { PencilLine, Sparkles } from "lucide-react";
import { useState } from "react";
import { viewUrl } from "../../api/client";
import { pluginWidgetOf, useExtensions } from "../../state/catalog/extensions";
import { type ShownField, suggestApp, useApp, useShownFields } from "../../state/editing/app";
import { useField } from "../../state/fields/fields";
import { titleOf } from "../../state/nodes/naming";
import type { Output } from "../../state/outcomes/outputs";
import { useRunOf } from "../../state/outcomes/places";
import { useRuns } from "../../state/outcomes/runs";
import { openPicture, pictureAttribute } from "../../state/results/pictureActions";
import { useCatalog, useEditor, useTab } from "../../state/session/editor";
import { schemaOf } from "../../state/session/studio";
import { Field } from "../../widgets/Field";
import { MediaPreview } from "../../widgets/MediaPreview";
import { beginning } from "../../words/format";
import { t } from "../../words/words";
import { NoticeBar } from "../NoticeBar";
import { Results } from "../Results";
import { RunBar } from "../RunBar";
import { AppEditor } from "./AppEditor";
import { useResultInView } from "./useResultInView";
import "./app.css";

/** `isBeside`: beside the graph, in the split view, which has the run bar and the notices. */
export function AppMode({ isBeside = false }: { isBeside?: boolean }) {
  const app = useApp();
  const fields = useShownFields();
  const name = useTab((tab) => tab.name);
  const [editing, setEditing] = useState(false);
  const { stage, onPicture, onTyping, onTyped } = useResultInView();
  // Before the first run the stage says what will appear; the list would say it a second time.
  const hasResults = useRuns(
    ({ past, active }) => past.length > 0 || Object.keys(active).length > 0,
  );
  return (
    <div className={isBeside ? "app-mode beside" : "app-mode"}>
      <section
        className="app-form"
        aria-label={t("Form")}
        onFocus={onTyping}
        onInput={onTyping}
        onBlur={onTyped}
      >
        <header>
          <h1>{name}</h1>
          <button
            type="button"
            className={editing ? "ghost on" : "ghost"}
            aria-label={t("Change the form")}
            aria-pressed={editing}
            title={t("Change the form")}
            onClick={() => setEditing(!editing)}
          >
            <PencilLine size={15} aria-hidden />
          </button>
        </header>
        {editing ? (
          <AppEditor app={app} />
        ) : (
          <>
            {fields.map((each) => (
              <AppLine key={`${each.node}/${each.widget}`} field={each} />
            ))}
            {fields.length === 0 && <NoForm />}
          </>
        )}
      </section>
      <section className="app-results" aria-label={t("Results")}>
        <div ref={stage} className="app-stage" onLoadCapture={onPicture}>
          <Stage outputs={app.outputs} />
        </div>
        {hasResults && <Results />}
      </section>
      {!isBeside && (
        <>
          <div className="app-run">
            <RunBar />
          </div>
          <NoticeBar />
        </>
      )}
    </div>
  );
}

function NoForm() {
  const editor = useEditor();
  return (
    <div className="app-empty">
      <p>{t("This workflow has no form yet.")}</p>
      <button type="button" className="primary" onClick={() => suggestApp(editor)}>
        <Sparkles size={14} aria-hidden /> {t("Create a form from its prompts, sizes and seeds")}
      </button>
    </div>
  );
}

function AppLine({ field }: { field: ShownField }) {
  const { source, input, label, heading } = field;
  const given = useField(source, schemaOf(source.type), input);
  const shown =
    label === null ? input : { ...input, options: { ...input.options, display_name: label } };
  const PluginWidget = useExtensions((state) => state.Widget);
  const plugin = given.linked ? null : pluginWidgetOf(input);
  const isTall = input.options.multiline === true;
  return (
    <>
      {heading !== null && <h2>{heading}</h2>}
      <div className={isTall ? "app-line tall" : "app-line"}>
        {isTall && <span className="app-label">{label ?? input.name}</span>}
        {plugin !== null && PluginWidget !== null ? (
          <PluginWidget
            {...given}
            input={shown}
            widget={plugin}
            node={source.type}
            place={`app ${source.key}`}
          />
        ) : (
          <Field {...given} input={shown} />
        )}
      </div>
    </>
  );
}

/** The newest results of the chosen nodes, else the previews of the current run. */
function Stage({ outputs }: { outputs: readonly string[] }) {
  const preview = useRuns((state) => Object.values(state.previews)[0]);
  if (preview !== undefined) return <img src={preview} alt={t("Preview of the current run")} />;
  if (outputs.length === 0)
    return <p className="quiet">{t("No results are selected for this app.")}</p>;
  return outputs.map((each) => <Made key={each} node={each} />);
}

function Made({ node }: { node: string }) {
  const { shown, sentences } = useRunOf(node);
  const catalog = useCatalog();
  const title = useTab(({ workflow }) => {
    const found = workflow.nodes[node];
    return found === undefined ? node : titleOf(found, catalog[found.type]);
  });
  if (sentences.length > 0) return <p className="wrong">{sentences.join(" ")}</p>;
  if (shown === undefined) {
    return <p className="quiet">{t("{{title}} appears here.", { title })}</p>;
  }
  return (
    <>
      {[...(shown.pair ?? []), ...shown.files].map((made) => (
        <MadeFile key={made.file.filename} made={made} job={shown.job ?? null} />
      ))}
      {shown.text.map((text, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: texts of a node may be equal
        <pre key={index}>{beginning(text)}</pre>
      ))}
    </>
  );
}

function MadeFile({ made, job }: { made: Output; job: string | null }) {
  const { file, medium } = made;
  const { filename } = file;
  const url = viewUrl(file);
  if (medium === "image") {
    return (
      <button
        type="button"
        className="app-picture"
        aria-label={t("View {{name}}", { name: filename })}
        data-picture={pictureAttribute(made, job)}
        onClick={() => openPicture({ file, job })}
      >
        <img src={url} alt={filename} />
      </button>
    );
  }
  if (medium !== "file") return <MediaPreview media={{ kind: medium, url, name: filename }} />;
  return (
    <a href={url} download={filename}>
      {filename}
    </a>
  );
}
