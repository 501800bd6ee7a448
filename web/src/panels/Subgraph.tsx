/**
 * In the inspector: the ports of a subgraph, the overrides of an instance, and the widgets that a
 * subgraph shows outside.
 */

import { ArrowDown, ArrowUp, LogIn, Pin, RotateCcw, Trash2 } from "lucide-react";
import {
  type Definition,
  type GraphNode,
  INPUTS,
  isBoundary,
  slotLabel,
  subgraphOf,
} from "../document/graph";
import { definitionAt, instancesOf } from "../document/levels";
import { portOfWidget, portsOf, type Side } from "../document/ports";
import { saveBlueprint } from "../state/catalog/blueprints";
import { enter } from "../state/editing/levels";
import {
  dropPort,
  labelPort,
  renameSubgraph,
  reorderPort,
  resetValue,
  separateSelected,
  showWidget,
  unpackSelected,
} from "../state/editing/subgraphs";
import { inputsOf } from "../state/nodes/inputs";
import { titleOf } from "../state/nodes/naming";
import { isWidget } from "../state/nodes/widgets";
import { useEditor } from "../state/session/editor";
import { useActive, useStudio } from "../state/session/studio";
import { t } from "../words/words";
import "./subgraph.css";

export function SubgraphSection({ node }: { node: GraphNode }) {
  const workflow = useActive((tab) => tab.workflow);
  const level = useActive((tab) => tab.level);
  const around = definitionAt(workflow, level);
  const within = subgraphOf(workflow.definitions, node.type);
  if (around !== undefined && isBoundary(node.key)) {
    return <Ports definition={around} side={node.key === INPUTS ? "inputs" : "outputs"} />;
  }
  return (
    <>
      {within !== undefined && <Instance node={node} definition={within} />}
      {around !== undefined && <ShownOutside node={node} definition={around} />}
    </>
  );
}

function Instance({ node, definition }: { node: GraphNode; definition: Definition }) {
  const editor = useEditor();
  const workflow = useActive((tab) => tab.workflow);
  const count = instancesOf(workflow, definition.id).length;
  return (
    <section className="subgraph">
      <label>
        <span>{t("Name of the subgraph")}</span>
        <input
          key={definition.name}
          className="plain"
          defaultValue={definition.name}
          onKeyDown={blurOnEnter}
          onBlur={(event) => {
            const text = event.currentTarget.value.trim();
            if (text !== definition.name) renameSubgraph(editor, definition.id, text);
          }}
        />
      </label>
      <div className="doings">
        <button type="button" className="plain" onClick={() => enter(editor, node.key)}>
          <LogIn size={13} aria-hidden /> {t("Open")}
        </button>
        <button type="button" className="plain" onClick={() => unpackSelected(editor)}>
          {t("Unpack")}
        </button>
        {count > 1 && (
          <button type="button" className="plain" onClick={() => separateSelected(editor)}>
            {t("Give it its own subgraph")}
          </button>
        )}
        <button
          type="button"
          className="plain"
          onClick={() => void saveBlueprint(editor, node.key)}
        >
          {t("Save as a blueprint")}
        </button>
      </div>
      {count > 1 && (
        <p className="quiet">
          {t("{{count}} nodes share this subgraph: a change inside applies to all of them.", {
            count,
          })}
        </p>
      )}
      <Overrides node={node} />
      <Inside definition={definition} />
      <Ports definition={definition} side="inputs" />
      <Ports definition={definition} side="outputs" />
    </section>
  );
}

/**
 * The most inner nodes for which this list is shown; in larger subgraphs, widgets are promoted from
 * inside.
 */
const LOOKED_THROUGH = 100;

/** The widgets of the inner nodes, to promote or demote them without entering the subgraph. */
function Inside({ definition }: { definition: Definition }) {
  const catalog = useStudio((state) => state.catalog);
  const { nodes, order } = definition.graph;
  const inside = order.slice(0, LOOKED_THROUGH).flatMap((key) => nodes[key] ?? []);
  return (
    <details className="subgraph inside">
      <summary>{t("Widgets to show here")}</summary>
      {inside.map((node) => (
        <ShownOutside
          key={node.key}
          node={node}
          definition={definition}
          title={titleOf(node, catalog[node.type])}
        />
      ))}
    </details>
  );
}

/** The values of this instance that replace those inside. */
function Overrides({ node }: { node: GraphNode }) {
  const editor = useEditor();
  const schema = useStudio((state) => state.catalog[node.type]);
  const own = (schema?.inputs ?? []).filter(
    (each) => isWidget(each) && node.values[each.name] != null,
  );
  if (own.length === 0) return null;
  return (
    <>
      <h3>{t("Values of this node only")}</h3>
      <ul className="ports">
        {own.map(({ name, options }) => {
          const label = String(options.display_name ?? name);
          return (
            <li key={name}>
              <span className="name">{label}</span>
              <button
                type="button"
                className="ghost"
                aria-label={t("Reset {{name}} to the subgraph's value", { name: label })}
                onClick={() => resetValue(editor, node.key, name)}
              >
                <RotateCcw size={13} aria-hidden />
              </button>
            </li>
          );
        })}
      </ul>
    </>
  );
}

function Ports({ definition, side }: { definition: Definition; side: Side }) {
  const editor = useEditor();
  const ports = portsOf(definition, side);
  const { id } = definition;
  return (
    <section className="subgraph">
      <h3>{side === "inputs" ? t("Inputs") : t("Outputs")}</h3>
      {ports.length === 0 && (
        <p className="quiet">{t("Drag a wire to the boundary to add a port.")}</p>
      )}
      <ol className="ports">
        {ports.map((port, slot) => {
          const label = slotLabel(port);
          return (
            <li key={String(port.saved.id ?? port.name)}>
              <input
                key={label}
                className="plain"
                aria-label={t("Name of the port {{name}}", { name: label })}
                defaultValue={label}
                title={port.type}
                onKeyDown={blurOnEnter}
                onBlur={(event) => {
                  const text = event.currentTarget.value.trim();
                  if (text !== label) labelPort(editor, id, side, slot, text);
                }}
              />
              <button
                type="button"
                className="ghost"
                aria-label={t("Move {{name}} up", { name: label })}
                disabled={slot === 0}
                onClick={() => reorderPort(editor, id, side, slot, slot - 1)}
              >
                <ArrowUp size={13} aria-hidden />
              </button>
              <button
                type="button"
                className="ghost"
                aria-label={t("Move {{name}} down", { name: label })}
                disabled={slot === ports.length - 1}
                onClick={() => reorderPort(editor, id, side, slot, slot + 1)}
              >
                <ArrowDown size={13} aria-hidden />
              </button>
              <button
                type="button"
                className="ghost"
                aria-label={t("Remove the port {{name}}", { name: label })}
                onClick={() => dropPort(editor, id, side, slot)}
              >
                <Trash2 size={13} aria-hidden />
              </button>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

interface ShownProps {
  node: GraphNode;
  definition: Definition;
  title?: string;
}

/** The widgets of a node that the instances of the subgraph around it show. */
function ShownOutside({ node, definition, title }: ShownProps) {
  const editor = useEditor();
  const workflow = useActive((tab) => tab.workflow);
  const schema = useStudio((state) => state.catalog[node.type]);
  const widgets = schema === undefined ? [] : inputsOf(schema, node).filter(isWidget);
  const rows = widgets.flatMap(({ name, options }) => {
    const isShown = portOfWidget(workflow, definition, { node: node.key, widget: name }) >= 0;
    const isLinked = node.inputs.some((each) => each.name === name && each.link !== null);
    if (isLinked && !isShown) return [];
    return [{ name, label: String(options.display_name ?? name), isShown }];
  });
  if (rows.length === 0) return null;
  return (
    <section className="subgraph">
      <h3>{title ?? t("Shown on the subgraph")}</h3>
      <div className="doings">
        {rows.map(({ name, label, isShown }) => (
          <button
            key={name}
            type="button"
            className={isShown ? "plain on" : "plain"}
            aria-pressed={isShown}
            onClick={() =>
              showWidget(editor, definition.id, { node: node.key, widget: name }, !isShown)
            }
          >
            <Pin size={12} aria-hidden /> {label}
          </button>
        ))}
      </div>
    </section>
  );
}

function blurOnEnter(event: React.KeyboardEvent<HTMLInputElement>): void {
  if (event.key === "Enter") event.currentTarget.blur();
}
