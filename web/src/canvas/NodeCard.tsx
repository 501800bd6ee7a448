/** A node: title, sockets, widgets, and below them its previews and texts. */

import { type NodeProps, NodeResizeControl } from "@xyflow/react";
import { AlertTriangle, Pin } from "lucide-react";
import { memo, Suspense } from "react";
import { isPinned } from "../document/flags";
import { type GraphNode, MODE } from "../document/graph";
import { previewsOf } from "../document/previews";
import { rename } from "../state/editing/actions";
import { useRenaming } from "../state/editing/renaming";
import { idleParts } from "../state/nodes/bypass";
import { tintOf } from "../state/nodes/categories";
import { paintOf } from "../state/nodes/colours";
import { familyOf } from "../state/nodes/kinds";
import { titleOf } from "../state/nodes/naming";
import type { Shape, SocketRow } from "../state/nodes/rows";
import { MIN_WIDTH, minHeight, ROW, shapeFor, showsPictures, TITLE } from "../state/nodes/shape";
import { isInstance, useRunOf } from "../state/outcomes/places";
import { type NodeRun, useRuns } from "../state/outcomes/runs";
import { useContent } from "../state/session/content";
import { useCatalog, useEditor, useGesture, useSchema, useTab } from "../state/session/editor";
import { part } from "../widgets/part";
import { t } from "../words/words";
import { EnterButton } from "./EnterButton";
import { FailureNote } from "./FailureNote";
import type { FlowNode } from "./flow";
import { takeDrop } from "./mediaDrop";
import { Passing } from "./Passing";
import { RunMark, Timing } from "./RunMark";
import { useRoving } from "./roving";
import { Shown } from "./Shown";
import { SocketDot, useSocketMarks } from "./SocketDot";
import { WidgetField } from "./WidgetField";

const LivePreview = part(() => import("./LivePreview").then((module) => module.LivePreview));

/** Memoized: React Flow positions the card, so dragging does not render it again. */
export const NodeCard = memo(Card, isSameCard);

function isSameCard(one: NodeProps<FlowNode>, other: NodeProps<FlowNode>): boolean {
  return one.id === other.id && one.selected === other.selected;
}

function Card({ id, selected }: NodeProps<FlowNode>) {
  const editor = useEditor();
  const node = useContent(id);
  const schema = useSchema(node?.type);
  const { run, shown, preview: made, sentences, former } = useRunOf(id);
  const idle = useIsIdle(id);
  const roving = useRoving(id, sentences, idle ? t("will not run") : stateWords(run, former));
  if (node === undefined) return null;
  const preview = previewsOf(node) ? made : undefined;
  const shape = shapeFor(node, schema, showsPictures(schema) || shown !== undefined);
  const paint = paintOf(node);
  const classes = [
    ...classesOf(node),
    selected && "selected",
    run?.state === "running" && "running",
    sentences.length > 0 && "wrong",
    idle && "idle",
    schema === undefined && "unknown",
  ];
  return (
    // biome-ignore lint/a11y/useSemanticElements: a node is a group of fields, not a form's fieldset
    <div
      role="group"
      className={classes.filter(Boolean).join(" ")}
      style={{ width: shape.width, height: shape.height, ...(paint ?? tintOf(schema)) }}
      aria-label={titleOf(node, schema)}
      data-node={id}
      {...roving}
      onDrop={(event) => takeDrop(editor, id, event)}
    >
      {!node.collapsed && (
        <NodeResizeControl
          position="bottom-right"
          className="corner"
          minWidth={MIN_WIDTH}
          minHeight={minHeight(node, schema, shape.shown !== null)}
        />
      )}
      <Title node={id} run={run} sentences={sentences} former={former} idle={idle} />
      {run?.state === "running" && <Progress run={run} />}
      <Timing node={id} run={run} />
      {node.mode === MODE.bypassed && <Passing node={id} shape={shape} />}
      <Sockets node={id} shape={shape} collapsed={node.collapsed} />
      {!node.collapsed &&
        shape.widgets.map((row) => <WidgetField key={row.input.name} node={id} row={row} />)}
      {node.collapsed && <HiddenSockets node={id} shape={shape} />}
      {schema === undefined && !node.collapsed && hasRoom(shape) && <Foreign type={node.type} />}
      {shape.shown !== null && (
        <Shown node={node} schema={schema} shown={shown} preview={preview} {...shape.shown} />
      )}
      {shape.shown === null && preview !== undefined && !node.collapsed && (
        <Suspense>
          <LivePreview node={id} url={preview} shape={shape} />
        </Suspense>
      )}
      <FailureNote node={id} run={run} sentences={sentences} top={shape.height} />
    </div>
  );
}

/** Whether a node does not run, since a node before it is muted. */
function useIsIdle(id: string): boolean {
  const catalog = useCatalog();
  return useTab(({ graph }) => idleParts(graph, catalog).nodes.has(id));
}

/** What the card of a missing class says. No plugin would bring a class of the program's own. */
function Foreign({ type }: { type: string }) {
  const tab = useTab((each) => each.id);
  const isOwn = useRuns(({ problems }) => problems[tab]?.absences?.[type] !== undefined);
  return (
    <p className="foreign">
      {isOwn ? t("Not in this version of Calotype") : t("Not installed here")}
    </p>
  );
}

/** Whether a line of text fits below the sockets. */
function hasRoom({ height, inputs, outputs }: Shape): boolean {
  return height >= TITLE + (Math.max(inputs.length, outputs.length) + 1.5) * ROW;
}

function classesOf(node: GraphNode): (string | false)[] {
  const { mode, collapsed } = node;
  return [
    "card",
    paintOf(node) !== undefined && "painted",
    mode === MODE.muted && "muted",
    mode === MODE.bypassed && "bypassed",
    collapsed && "collapsed",
  ];
}

function stateWords(run: NodeRun | undefined, former: string | undefined): string {
  if (run?.state === "running") return t("running");
  if (former !== undefined) return t("failed in the last run");
  return run?.state === "error" ? t("failed") : "";
}

interface TitleProps {
  node: string;
  run: NodeRun | undefined;
  sentences: readonly string[];
  former: string | undefined;
  /** The node does not run, since a node before it is muted. */
  idle: boolean;
}

function Title({ node: id, run, sentences, former, idle }: TitleProps) {
  const node = useContent(id);
  const schema = useSchema(node?.type);
  const renaming = useGesture(useRenaming, (state) => state.node === id, false);
  const editor = useEditor();
  if (node === undefined) return null;
  const setRenaming = (begins: boolean) => useRenaming.setState({ node: begins ? id : null });
  const title = titleOf(node, schema);
  const finish = (text: string) => {
    setRenaming(false);
    if (text !== title) rename(editor, id, text === schema?.display_name ? "" : text);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the inspector renames by keyboard
    <header
      className="card-title"
      onDoubleClick={(event) => {
        // A double click on an instance opens its subgraph: the canvas handles it.
        if (isInstance(editor.tab, id)) return;
        event.stopPropagation();
        setRenaming(true);
      }}
    >
      {renaming ? (
        <input
          className="nodrag"
          aria-label={t("Title")}
          // biome-ignore lint/a11y/noAutofocus: the title was just double-clicked to type into it
          autoFocus
          defaultValue={title}
          onFocus={(event) => event.currentTarget.select()}
          onBlur={(event) => finish(event.currentTarget.value.trim())}
          onKeyDown={(event) => {
            if (event.key === "Enter") event.currentTarget.blur();
            if (event.key === "Escape") setRenaming(false);
          }}
        />
      ) : (
        <span className="name" title={schema?.description || title}>
          {title}
        </span>
      )}
      <EnterButton node={id} />
      {isPinned(node) && <Pin className="pin" size={14} aria-label={t("pinned")} />}
      {node.mode === MODE.muted && <span className="mode">{t("muted")}</span>}
      {idle && <span className="mode">{t("will not run")}</span>}
      {node.mode === MODE.bypassed && <span className="mode">{t("bypassed")}</span>}
      {sentences.length > 0 && (
        <span className="problem" data-tip={sentences.join("\n")}>
          <AlertTriangle size={13} aria-label={sentences.join(". ")} />
        </span>
      )}
      {sentences.length === 0 && <RunMark node={id} run={run} former={former} />}
    </header>
  );
}

function Progress({ run }: { run: NodeRun }) {
  const share = run.max > 0 ? Math.min(run.value / run.max, 1) : 0;
  return (
    <div
      className={share > 0 ? "progress" : "progress unsure"}
      role="progressbar"
      aria-label={t("Progress of the node")}
      aria-valuenow={Math.round(share * 100)}
    >
      <div style={share > 0 ? { width: `${share * 100}%` } : {}} />
    </div>
  );
}

function Sockets({ node, shape, collapsed }: { node: string; shape: Shape; collapsed: boolean }) {
  const markOf = useSocketMarks(node);
  const inputs = useTab((tab) => tab.graph.nodes[node]?.inputs);
  const outputs = useTab((tab) => tab.graph.nodes[node]?.outputs);
  return (
    <>
      {shape.inputs.map((row) => (
        <Socket
          key={row.id}
          node={node}
          row={row}
          side="target"
          joined={inputs?.some((each) => each.name === row.id && each.link !== null) ?? false}
          mark={markOf({ id: row.id, side: "target", type: row.type })}
          labelled={!collapsed}
        />
      ))}
      {shape.outputs.map((row) => (
        <Socket
          key={row.id}
          node={node}
          row={row}
          side="source"
          joined={(outputs?.[Number(row.id)]?.links.length ?? 0) > 0}
          mark={markOf({ id: row.id, side: "source", type: row.type })}
          labelled={!collapsed}
        />
      ))}
    </>
  );
}

interface SocketProps {
  node: string;
  row: SocketRow;
  side: "source" | "target";
  joined: boolean;
  /** The class for its look while a wire is pulled. */
  mark: string;
  labelled: boolean;
}

function Socket({ node, row, side, joined, mark, labelled }: SocketProps) {
  const classes = [
    familyOf(row.type),
    row.optional && !joined ? "ring" : "",
    row.list ? "list" : "",
    mark,
  ];
  return (
    <>
      <SocketDot
        node={node}
        id={row.id}
        side={side}
        type={row.type}
        className={classes.filter(Boolean).join(" ")}
        top={row.y}
        label={`${row.label}, ${row.type}`}
        title={row.tooltip === null ? row.type : `${row.type}\n${row.tooltip}`}
      />
      {labelled && (
        <span
          className={`socket-label ${side}${mark === "dim" ? " dim" : ""}${row.optional ? " optional" : ""}`}
          style={{ top: row.y }}
        >
          {row.label}
        </span>
      )}
    </>
  );
}

/** Sockets for wires into the widgets of a collapsed node: they end at its title. */
function HiddenSockets({ node, shape }: { node: string; shape: Shape }) {
  return shape.widgets.map(({ input }) => (
    <SocketDot
      key={input.name}
      node={node}
      id={input.name}
      side="target"
      type={input.type}
      className="hidden"
    />
  ));
}
