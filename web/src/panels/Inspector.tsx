/** The selected node in full: values, wires, results, problems and description. */

import { Suspense } from "react";
import { viewUrl } from "../api/client";
import type { InputSchema, NodeSchema } from "../api/types";
import { type GraphNode, isBoundary } from "../document/graph";
import { isNote } from "../document/notes";
import { inputsOf } from "../state/nodes/inputs";
import { colourOf, familyOf } from "../state/nodes/kinds";
import { titleOf } from "../state/nodes/naming";
import { isSocket, isSubgraph } from "../state/nodes/widgets";
import type { Output } from "../state/outcomes/outputs";
import { isInstance, placeHere, problemsAt, runAt, useRunOf } from "../state/outcomes/places";
import { useRuns } from "../state/outcomes/runs";
import { openPicture, openPictureAt, pictureAttribute } from "../state/results/pictureActions";
import { useContent } from "../state/session/content";
import { useEditor } from "../state/session/editor";
import { promptIdOf, select, useActive, useStudio } from "../state/session/studio";
import { MediaPreview } from "../widgets/MediaPreview";
import { part } from "../widgets/part";
import { t } from "../words/words";
import { Description } from "./Description";
import { Health } from "./Health";
import { InspectorSheet, useIsPhone } from "./InspectorSheet";
import { NodeForm } from "./NodeForm";
import { PluginViews } from "./PluginViews";
import { SubgraphSection } from "./Subgraph";

const Wipe = part(() => import("../widgets/Wipe").then((module) => module.Wipe));

export function Inspector() {
  const selected = useActive((tab) => tab.selected);
  const node = useContent(selected.length === 1 ? selected[0] : undefined);
  const isPhone = useIsPhone();
  const content =
    node !== undefined ? (
      <About node={node} />
    ) : selected.length > 1 ? (
      <p className="quiet">{t("{{count}} nodes are selected.", { count: selected.length })}</p>
    ) : (
      <Outline />
    );
  if (isPhone) return <InspectorSheet>{content}</InspectorSheet>;
  return (
    <aside className="inspector" aria-label={t("Inspector")}>
      {content}
    </aside>
  );
}

/** The most names listed; the number of the others is shown. */
const LISTED = 150;

/** The list of all nodes by name, if none is selected. */
function Outline() {
  const editor = useEditor();
  const tab = useActive((each) => each);
  const { graph } = tab;
  const catalog = useStudio((state) => state.catalog);
  const runs = useRuns((state) => state.nodes);
  const report = useRuns((state) => state.problems[tab.id]);
  return (
    <>
      <h2>{t("Outline")}</h2>
      <ul className="outline">
        {graph.order.slice(0, LISTED).map((key) => {
          const node = graph.nodes[key];
          if (node === undefined) return null;
          const instance = isInstance(tab, key);
          const isWrong = problemsAt(report, promptIdOf(tab, key), instance) !== undefined;
          const state = isWrong ? "wrong" : runAt(runs, placeHere(tab, key), instance)?.state;
          return (
            <li key={key}>
              <button type="button" data-key={key} onClick={() => select(editor, [key])}>
                <i className={`state ${state ?? "waiting"}`} />
                {titleOf(node, catalog[node.type])}
                <span className="kind">{kindOf(node, catalog[node.type])}</span>
              </button>
            </li>
          );
        })}
      </ul>
      {graph.order.length > LISTED && (
        <p className="quiet">{t("and {{count}} more", { count: graph.order.length - LISTED })}</p>
      )}
    </>
  );
}

function About({ node }: { node: GraphNode }) {
  const schema = useStudio((state) => state.catalog[node.type]);
  const { shown } = useRunOf(node.key);
  const described = schema === undefined ? [] : inputsOf(schema, node);
  return (
    <>
      <header>
        <h2>{titleOf(node, schema)}</h2>
        <p className="kind">
          {kindOf(node, schema)} <span>#{node.key}</span>
        </p>
      </header>
      <Health node={node} />
      {shown?.pair != null && (
        <Suspense>
          <Wipe
            one={viewUrl(shown.pair[0].file)}
            other={viewUrl(shown.pair[1].file)}
            onOpen={(url) => openPictureAt(url, shown.job)}
          />
        </Suspense>
      )}
      {shown?.files.slice(0, 1).map((made) => (
        <LastResult key={made.file.filename} made={made} job={shown.job ?? null} />
      ))}
      <NodeForm node={node} schema={schema} />
      <Wires node={node} inputs={described.filter(isSocket)} />
      <SubgraphSection node={node} />
      {schema !== undefined && schema.description !== "" && (
        <section className="help">
          <Description text={schema.description} />
        </section>
      )}
      {schema === undefined && !isBoundary(node.key) && !isNote(node) && (
        <p className="quiet">
          {t("There is no such node on this server. It is kept and saved unchanged.")}
        </p>
      )}
    </>
  );
}

/** The source of each input of a node. */
function Wires({ node, inputs }: { node: GraphNode; inputs: readonly InputSchema[] }) {
  const editor = useEditor();
  const links = useActive(({ graph }) => graph.links);
  if (inputs.length === 0) return null;
  const sourceOf = (name: string) => {
    const key = node.inputs.find((each) => each.name === name)?.link;
    return key == null ? undefined : links[key]?.from;
  };
  return (
    <dl className="wires">
      {inputs.map((input) => {
        const source = sourceOf(input.name);
        return (
          <div key={input.name}>
            <dt>
              <i
                className={`sample ${familyOf(input.type)}`}
                style={{ "--colour": colourOf(input.type) } as React.CSSProperties}
              />
              {input.name}
            </dt>
            <dd>
              {source === undefined ? (
                <span className="quiet">
                  {input.section === "optional" ? t("optional") : t("nothing yet")}
                </span>
              ) : (
                <button type="button" className="link" onClick={() => select(editor, [source])}>
                  <SourceName node={source} />
                </button>
              )}
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

/** Its class; for subgraphs a word, since their ids mean nothing to users. */
function kindOf(node: GraphNode, schema: NodeSchema | undefined): string {
  if (isBoundary(node.key)) return t("boundary");
  return isSubgraph(schema) ? t("subgraph") : node.type;
}

function SourceName({ node: key }: { node: string }) {
  const node = useContent(key);
  const schema = useStudio((state) => (node === undefined ? undefined : state.catalog[node.type]));
  return node === undefined ? null : titleOf(node, schema);
}

/** The node's newest result, and the views that plugins have of its kind. */
function LastResult({ made, job }: { made: Output; job: string | null }) {
  const { file, medium } = made;
  const url = viewUrl(file);
  return (
    <>
      {medium === "image" && (
        <button
          type="button"
          className="result"
          data-picture={pictureAttribute(made, job)}
          onClick={() => openPicture({ file, job })}
        >
          <img src={url} alt={t("The last result")} />
        </button>
      )}
      {(medium === "video" || medium === "audio") && (
        <MediaPreview media={{ kind: medium, url, name: file.filename }} />
      )}
      <PluginViews url={url} name={file.filename} />
    </>
  );
}
