/** A note on the canvas: rendered Markdown, edited after a double click. */

import { type NodeProps, NodeResizeControl } from "@xyflow/react";
import { Pin } from "lucide-react";
import { memo, useEffect, useRef } from "react";
import { isPinned } from "../document/flags";
import type { GraphNode } from "../document/graph";
import { NOTE_TEXT, noteText, PLAIN_NOTE } from "../document/notes";
import { changeValue } from "../state/editing/actions";
import { useArranging } from "../state/editing/arranging";
import { NOTE_COLOUR, paintOf } from "../state/nodes/colours";
import { TITLE } from "../state/nodes/shape";
import { useEditor, useGesture, useTab } from "../state/session/editor";
import { endThread } from "../state/session/studio";
import { Markdown } from "../widgets/Markdown";
import { beginning } from "../words/format";
import { t } from "../words/words";
import type { FlowNode } from "./flow";
import { useRoving } from "./roving";

const NARROWEST = 120;

export const NoteCard = memo(function NoteCard({
  id,
  selected,
  width = 0,
  height = 0,
}: NodeProps<FlowNode>) {
  const node = useTab((tab) => tab.graph.nodes[id]);
  const writing = useGesture(useArranging, (state) => state.writing === id, false);
  const roving = useRoving(id);
  if (node === undefined) return null;
  const title = node.title ?? t("Note");
  const classes = ["card note painted", selected ? "selected" : "", writing ? "writing" : ""];
  return (
    // biome-ignore lint/a11y/useSemanticElements: notes are among nodes, which are groups
    <div
      role="group"
      className={classes.filter(Boolean).join(" ")}
      style={{ width, height, ...paintOf(node, NOTE_COLOUR) } as React.CSSProperties}
      aria-label={title}
      data-node={id}
      {...roving}
      onDoubleClick={(event) => {
        event.stopPropagation();
        useArranging.setState({ writing: id });
      }}
    >
      {!node.collapsed && (
        <NodeResizeControl
          position="bottom-right"
          className="corner"
          minWidth={NARROWEST}
          minHeight={TITLE * 2}
        />
      )}
      <header className="card-title">
        <span className="name">{title}</span>
        {isPinned(node) && <Pin size={12} aria-label={t("pinned")} />}
      </header>
      {!node.collapsed && (writing ? <Writing node={node} /> : <Reading node={node} />)}
    </div>
  );
});

function Reading({ node }: { node: GraphNode }) {
  const text = noteText(node);
  if (text.trim() === "") {
    return <p className="note-text note-empty">{t("Double-click to edit.")}</p>;
  }
  const shown = beginning(text);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a long text must scroll by keyboard
    <div className="note-text nowheel" tabIndex={0}>
      {node.type === PLAIN_NOTE ? <p className="note-plain">{shown}</p> : <Markdown text={shown} />}
    </div>
  );
}

function Writing({ node }: { node: GraphNode }) {
  const editor = useEditor();
  const field = useRef<HTMLTextAreaElement>(null);
  const finish = () => {
    endThread(editor);
    useArranging.setState({ writing: null });
  };
  useEffect(() => {
    field.current?.focus({ preventScroll: true });
  }, []);
  return (
    <textarea
      ref={field}
      className="note-text nodrag nowheel"
      aria-label={t("Text of the note, in Markdown")}
      value={noteText(node)}
      spellCheck
      onChange={(event) =>
        changeValue(
          editor,
          node.key,
          NOTE_TEXT,
          event.currentTarget.value,
          `${node.key}/${NOTE_TEXT}`,
        )
      }
      onKeyDown={(event) => {
        const isDone = event.key === "Enter" && (event.ctrlKey || event.metaKey);
        if (event.key !== "Escape" && !isDone) return;
        event.preventDefault();
        event.stopPropagation();
        // The keys go on with the note, which would otherwise lose the focus with its field.
        event.currentTarget.closest<HTMLElement>("[data-node]")?.focus({ preventScroll: true });
        finish();
      }}
      onBlur={finish}
    />
  );
}
