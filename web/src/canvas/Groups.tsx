/** Frames behind nodes. Moving a frame moves what lies in it. */
import { useReactFlow, ViewportPortal } from "@xyflow/react";
import { X } from "lucide-react";
import { type PointerEvent, useRef } from "react";
import { changeGroup, moveNodes } from "../document/edit";
import type { Group, Point } from "../document/graph";
import { ungroup } from "../state/actions";
import { GRID } from "../state/shape";
import { activeTab, edit, endThread, useActive } from "../state/studio";

export function Groups() {
  const groups = useActive((tab) => tab.graph.groups);
  return (
    <ViewportPortal>
      {groups.map((each) => (
        <Frame key={each.key} group={each} />
      ))}
    </ViewportPortal>
  );
}

interface Moving {
  pointer: Point;
  frame: Point;
  nodes: Record<string, Point>;
}

function Frame({ group }: { group: Group }) {
  const flow = useReactFlow();
  const moving = useRef<Moving | null>(null);
  const at = (event: PointerEvent) =>
    flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
  const press = (event: PointerEvent<HTMLElement>) => {
    if (event.button !== 0 || event.target instanceof HTMLInputElement) return;
    event.stopPropagation();
    event.currentTarget.setPointerCapture(event.pointerId);
    moving.current = { pointer: at(event), frame: group.position, nodes: nodesIn(group) };
  };
  const drag = (event: PointerEvent) => {
    const begun = moving.current;
    if (begun === null) return;
    const now = at(event);
    const by = {
      x: Math.round((now.x - begun.pointer.x) / GRID) * GRID,
      y: Math.round((now.y - begun.pointer.y) / GRID) * GRID,
    };
    const moved = (from: Point) => ({ x: from.x + by.x, y: from.y + by.y });
    edit(
      "Move the group",
      (draft) => {
        changeGroup(draft, group.key, { position: moved(begun.frame) });
        const places = Object.entries(begun.nodes).map(([key, from]) => [key, moved(from)]);
        moveNodes(draft, Object.fromEntries(places));
      },
      `group ${group.key}`,
    );
  };
  const release = () => {
    moving.current = null;
    endThread();
  };
  const { position, size, title, color } = group;
  return (
    <section
      className="frame nopan"
      aria-label={title}
      style={
        {
          transform: `translate(${position.x}px, ${position.y}px)`,
          width: size.width,
          height: size.height,
          ...(color === null ? {} : { "--frame": color }),
        } as React.CSSProperties
      }
    >
      <header onPointerDown={press} onPointerMove={drag} onPointerUp={release}>
        <input
          aria-label="Title of the group"
          key={title}
          defaultValue={title}
          size={Math.max(title.length, 6)}
          onKeyDown={(event) => {
            if (event.key === "Enter") event.currentTarget.blur();
          }}
          onBlur={(event) => {
            const text = event.currentTarget.value;
            if (text !== title) {
              edit("Rename the group", (draft) => changeGroup(draft, group.key, { title: text }));
            }
          }}
        />
        <button type="button" aria-label="Remove the frame" onClick={() => ungroup(group.key)}>
          <X size={14} aria-hidden />
        </button>
      </header>
    </section>
  );
}

/** The nodes whose middle lies in the frame, as files mean it. */
function nodesIn({ position, size }: Group): Record<string, Point> {
  const inside = Object.values(activeTab().graph.nodes).filter((node) => {
    const x = node.position.x + node.size.width / 2;
    const y = node.position.y + node.size.height / 2;
    return (
      x >= position.x &&
      y >= position.y &&
      x <= position.x + size.width &&
      y <= position.y + size.height
    );
  });
  return Object.fromEntries(inside.map((node) => [node.key, node.position]));
}
