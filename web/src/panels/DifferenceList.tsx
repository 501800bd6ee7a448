/** The differences between two workflows as a list; a line leads to its node. */

import type { ReactNode } from "react";
import type { LevelDifference, NodeChange, WireChange } from "../document/diff";
import type { Graph, Workflow } from "../document/graph";
import { type Json, writeJson } from "../document/json";
import { allNodes } from "../document/levels";
import { goTo } from "../state/editing/levels";
import { titleOf } from "../state/nodes/naming";
import { closeDifference, showMarks, useDifference } from "../state/results/difference";
import { differenceOf } from "../state/results/differing";
import { useEditor } from "../state/session/editor";
import { schemaOf, useActive } from "../state/session/studio";
import { t } from "../words/words";
import { PanelHead } from "./PanelHead";
import "./difference.css";

export function DifferenceList() {
  const compared = useDifference((state) => state.compared);
  const active = useActive((tab) => tab);
  if (compared === null) return null;
  const other = compared.other ?? (compared.tab === active.id ? active.workflow : null);
  const here = compared.other === null && other !== null;
  return (
    <aside className="differences" aria-label={t("Differences")}>
      <PanelHead title={t("Differences")} onClose={closeDifference} />
      <p className="quiet">
        {t("From {{one}} to {{other}}", { one: compared.oneName, other: compared.otherName })}
      </p>
      {other === null ? (
        <p className="quiet">
          {t("The compared workflow is in another tab. Switch to it to see the differences.")}
        </p>
      ) : (
        <Lines one={compared.one} other={other} here={here} />
      )}
      {compared.job !== null && (
        <button type="button" className="plain-button" onClick={() => void showMarks()}>
          {t("Show it on the canvas")}
        </button>
      )}
    </aside>
  );
}

function Lines({ one, other, here }: { one: Workflow; other: Workflow; here: boolean }) {
  const levels = differenceOf(one, other);
  if (levels.length === 0) {
    return (
      <p className="quiet">
        {t(
          "No differences: the nodes, values and wires are the same. Positions and colours are not compared.",
        )}
      </p>
    );
  }
  return (
    <div className="lines">
      {levels.map((level) => (
        <Level key={level.definition ?? ""} level={level} workflow={here ? other : null} />
      ))}
    </div>
  );
}

/** `workflow` is the open document, if its nodes can be shown. */
function Level({ level, workflow }: { level: LevelDifference; workflow: Workflow | null }) {
  const { one, other, difference: found, definition, name } = level;
  return (
    <>
      {definition !== null && <p className="inside">{t("Inside {{name}}", { name })}</p>}
      <Nodes title={t("Changed")} kind="changed" count={found.changed.length}>
        {found.changed.map((change) => (
          <Changed key={change.after} change={change} other={other} workflow={workflow} />
        ))}
      </Nodes>
      <Nodes title={t("Added")} kind="added" count={found.added.length}>
        {found.added.map((key) => (
          <li key={key}>
            <Leads graph={other} node={key} workflow={workflow} />
          </li>
        ))}
      </Nodes>
      <Nodes title={t("Removed")} kind="removed" count={found.removed.length}>
        {found.removed.map((key) => (
          <li key={key}>{nameIn(one, key)}</li>
        ))}
      </Nodes>
      <Wires level={level} workflow={workflow} />
    </>
  );
}

function Nodes(props: { title: string; kind: string; count: number; children: ReactNode }) {
  const { title, kind, count, children } = props;
  if (count === 0) return null;
  return (
    <section className={kind}>
      <h3>
        {title} <span>{count}</span>
      </h3>
      <ul>{children}</ul>
    </section>
  );
}

function Changed(props: { change: NodeChange; other: Graph; workflow: Workflow | null }) {
  const { change, other, workflow } = props;
  const { values, mode, title, after } = change;
  return (
    <li>
      <Leads graph={other} node={after} workflow={workflow} />
      <dl>
        {values.map(({ name, before, after: now }) => (
          <Turned key={name} name={name} before={wordOf(before)} after={wordOf(now)} />
        ))}
        {mode !== null && (
          <Turned name={t("mode")} before={modeOf(mode.before)} after={modeOf(mode.after)} />
        )}
        {title !== null && (
          <Turned name={t("title")} before={title.before ?? "–"} after={title.after ?? "–"} />
        )}
      </dl>
    </li>
  );
}

function Turned({ name, before, after }: { name: string; before: string; after: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <del>{before}</del> <ins>{after}</ins>
      </dd>
    </div>
  );
}

function Wires({ level, workflow }: { level: LevelDifference; workflow: Workflow | null }) {
  const { one, other, difference: found } = level;
  const say = (graph: Graph, { from, output, to, input }: WireChange) =>
    t("{{from}} {{output}} to {{to}} {{input}}", {
      from: nameIn(graph, from),
      output,
      to: nameIn(graph, to),
      input,
    });
  return (
    <>
      <Nodes title={t("Wires added")} kind="added" count={found.wiresAdded.length}>
        {found.wiresAdded.map((wire) => (
          <li key={wire.link}>
            <Leads graph={other} node={wire.to} workflow={workflow} text={say(other, wire)} />
          </li>
        ))}
      </Nodes>
      <Nodes title={t("Wires removed")} kind="removed" count={found.wiresRemoved.length}>
        {found.wiresRemoved.map((wire) => (
          <li key={wire.link}>{say(one, wire)}</li>
        ))}
      </Nodes>
    </>
  );
}

interface LeadsProps {
  graph: Graph;
  node: string;
  workflow: Workflow | null;
  text?: string;
}

function Leads({ graph, node, workflow, text = nameIn(graph, node) }: LeadsProps) {
  const editor = useEditor();
  if (workflow === null) return <span>{text}</span>;
  const go = () => {
    const found = allNodes(workflow).find((each) => each.node === graph.nodes[node]);
    if (found !== undefined) goTo(editor, found.id);
  };
  return (
    <button type="button" className="link" onClick={go}>
      {text}
    </button>
  );
}

function nameIn(graph: Graph, key: string): string {
  const node = graph.nodes[key];
  return node === undefined ? key : titleOf(node, schemaOf(node.type));
}

function wordOf(value: Json | undefined): string {
  if (value === undefined) return "–";
  return typeof value === "object" && value !== null ? writeJson(value) : String(value);
}

function modeOf(mode: number): string {
  const words: Readonly<Record<number, string>> = {
    0: t("always"),
    2: t("never (muted)"),
    4: t("bypassed"),
  };
  return words[mode] ?? String(mode);
}
