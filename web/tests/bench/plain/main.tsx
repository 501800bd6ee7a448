/**
 * The baseline: the same nodes, sockets, fields and wires in React Flow, written as its guide
 * recommends.
 */
import {
  type Edge,
  Handle,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  useEdgesState,
  useNodesState,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { type CSSProperties, memo } from "react";
import { createRoot } from "react-dom/client";
import { HEIGHT, SAMPLERS, sceneOf, TYPES, WIDTH } from "../scene";
import "../../../src/theme.css";
import "../../../src/widgets/widgets.css";
import "../../../src/canvas/canvas.css";
import "../../../src/canvas/card.css";

const COLOURS = {
  MODEL: "var(--type-model)",
  CONDITIONING: "var(--type-conditioning)",
  IMAGE: "var(--type-image)",
};

type Plain = Node<{ text: string }, "plain">;

/** Styled like the studio's cards, so that both paint the same picture. */
const PlainNode = memo(function PlainNode({ data }: NodeProps<Plain>) {
  return (
    <div className="card" style={{ width: WIDTH, height: HEIGHT }}>
      <header className="card-title">
        <span className="name">{data.text}</span>
      </header>
      {TYPES.map((type, slot) => (
        <Sockets key={type} type={type} slot={slot} />
      ))}
      <div className="widgets">
        <label className="field nodrag">
          <span className="label">sampler</span>
          <select className="value" defaultValue={SAMPLERS[0]}>
            {SAMPLERS.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
        <label className="field nodrag">
          <span className="label">scale</span>
          <input className="value" type="number" defaultValue={7.5} />
        </label>
        <label className="field nodrag">
          <span className="label">text</span>
          <input className="value" defaultValue={data.text} />
        </label>
      </div>
    </div>
  );
});

function Sockets({ type, slot }: { type: (typeof TYPES)[number]; slot: number }) {
  const top = 46 + slot * 20;
  const style = { top, "--colour": COLOURS[type] } as CSSProperties;
  const family = type === "IMAGE" ? "data" : "weights";
  return (
    <>
      <Handle
        id={`in${slot}`}
        type="target"
        position={Position.Left}
        className={`socket ${family}`}
        style={style}
      />
      <span className="socket-label target" style={{ top }}>
        {`in${slot}`}
      </span>
      <Handle
        id={String(slot)}
        type="source"
        position={Position.Right}
        className={`socket ${family}`}
        style={style}
      />
      <span className="socket-label source" style={{ top }}>
        {type}
      </span>
    </>
  );
}

const NODE_TYPES = { plain: PlainNode };
const asked = new URLSearchParams(window.location.search);
const scene = sceneOf(Number(asked.get("nodes") ?? 1000));
const NODES: Plain[] = scene.nodes.map(({ id, x, y }) => ({
  id: String(id),
  type: "plain",
  position: { x, y },
  data: { text: `node ${id}` },
}));
const EDGES: Edge[] = scene.links.map(({ id, from, to, slot }) => ({
  id: `e${id}`,
  source: String(from),
  sourceHandle: String(slot),
  target: String(to),
  targetHandle: `in${slot}`,
}));

function Page() {
  const [nodes, , onNodesChange] = useNodesState(NODES);
  const [edges, , onEdgesChange] = useEdgesState(EDGES);
  return (
    <ReactFlow
      nodes={nodes}
      edges={edges}
      nodeTypes={NODE_TYPES}
      onNodesChange={onNodesChange}
      onEdgesChange={onEdgesChange}
      minZoom={0.05}
      defaultViewport={{ x: -4000, y: -2000, zoom: 1 }}
    />
  );
}

const root = document.getElementById("root");
if (root !== null) createRoot(root).render(<Page />);
