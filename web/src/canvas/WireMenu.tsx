/** The commands for the wire that was just clicked, in a row beside the pointer. */

import { useOnViewportChange } from "@xyflow/react";
import { CornerDownRight, Minus, Plus, Radio, Trash2 } from "lucide-react";
import type { Point } from "../document/graph";
import { shownKey } from "../state/commands/keymap";
import {
  addPoint,
  nameWires,
  removeWires,
  showWires,
  straightenWires,
} from "../state/editing/connecting";
import { useWiring } from "../state/editing/wiring";
import { useEditor, useGesture, useTab } from "../state/session/editor";
import { useView } from "../state/session/view";
import { t } from "../words/words";

const MENU_DISTANCE = 46;
/**
 * How far it begins before the pointer, and its distance from the edges of the canvas, in pixels.
 */
const MENU_OFFSET = 24;
const MARGIN = 8;

/** Places the menu beside the pointer but within the canvas, so that it covers no panel. */
function putAt(box: HTMLElement | null, { x, y }: Point): void {
  const around = box?.closest(".canvas")?.getBoundingClientRect();
  if (box === null || around === undefined) return;
  const most = around.right - box.offsetWidth - MARGIN;
  box.style.left = `${Math.max(Math.min(x - MENU_OFFSET, most), around.left + MARGIN)}px`;
  box.style.top = `${Math.max(y - MENU_DISTANCE, around.top + MARGIN)}px`;
}

function close(): void {
  useWiring.setState({ menu: null });
}

export function WireMenu() {
  const editor = useEditor();
  const menu = useGesture(useWiring, (state) => state.menu, null);
  const links = useTab((tab) => tab.selectedLinks);
  const link = useTab((tab) => tab.graph.links[menu?.link ?? ""]);
  useOnViewportChange({ onStart: close });
  if (menu === null || link === undefined || !links.includes(link.key)) return null;
  const isNamed = link.portal !== null;
  return (
    <div
      role="toolbar"
      aria-label={t("Wire")}
      className="wire-menu"
      ref={(box) => putAt(box, menu.screen)}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
      }}
    >
      {!isNamed && (
        <Item
          label={t("Add a point")}
          hint={t("Alt click")}
          icon={<CornerDownRight size={14} aria-hidden />}
          act={() => addPoint(editor, link.key, menu.at)}
        />
      )}
      {!isNamed && link.reroute !== null && (
        <Item
          label={t("Straighten")}
          icon={<Minus size={14} aria-hidden />}
          act={() => straightenWires(editor, [link.key])}
        />
      )}
      <Item
        label={isNamed ? t("Turn into a wire") : t("Turn into a portal")}
        icon={<Radio size={14} aria-hidden />}
        act={() => (isNamed ? showWires(editor, links) : nameWires(editor, [link.key]))}
      />
      {isNamed && (
        <Item
          label={t("Rename")}
          hint={shownKey("F2")}
          act={() => useWiring.setState({ naming: link.key })}
        />
      )}
      <Item
        label={t("Insert a node…")}
        icon={<Plus size={14} aria-hidden />}
        act={() => insertInto(link.key, menu.screen, menu.at)}
      />
      <Item
        label={t("Delete")}
        hint={shownKey("Delete")}
        icon={<Trash2 size={14} aria-hidden />}
        act={() => removeWires(editor, links)}
      />
    </div>
  );
}

/** Opens the palette for a node that goes into a wire. */
function insertInto(into: string, screen: Point, at: Point): void {
  useView.setState({ palette: { screen, at, pulled: null, into } });
}

interface ItemProps {
  label: string;
  hint?: string;
  icon?: React.ReactNode;
  act: () => void;
}

function Item({ label, hint, icon, act }: ItemProps) {
  return (
    <button
      type="button"
      title={hint === undefined ? label : `${label} (${hint})`}
      onClick={() => {
        useWiring.setState({ menu: null });
        act();
      }}
    >
      {icon}
      {label}
    </button>
  );
}
