/** The zoom level, and the button that fits the whole graph. */

import { useReactFlow, useStore, useStoreApi } from "@xyflow/react";
import { Maximize, Minus, Plus } from "lucide-react";
import { withKey } from "../state/commands/keymap";
import { useEditor } from "../state/session/editor";
import { animationDuration } from "../state/session/motion";
import { percent } from "../words/format";
import { t } from "../words/words";
import { showNodes } from "./fitting";
import { ToolBar } from "./ToolBar";

const glide = () => ({ duration: animationDuration() });

export function ZoomBar() {
  const flow = useReactFlow();
  const store = useStoreApi();
  const editor = useEditor();
  const zoom = useStore((state) => state.transform[2]);
  return (
    <div className="zoom-bar" role="toolbar" aria-label={t("Zoom")}>
      <ToolBar />
      <button
        type="button"
        aria-label={t("Zoom out")}
        data-tip={t("Zoom out")}
        onClick={() => void flow.zoomOut(glide())}
      >
        <Minus size={14} aria-hidden />
      </button>
      <button
        type="button"
        className="percent"
        title={t("Zoom to 100%")}
        onClick={() => void flow.zoomTo(1, glide())}
      >
        {percent(zoom)}
      </button>
      <button
        type="button"
        aria-label={t("Zoom in")}
        data-tip={t("Zoom in")}
        onClick={() => void flow.zoomIn(glide())}
      >
        <Plus size={14} aria-hidden />
      </button>
      <button
        type="button"
        aria-label={t("Show all")}
        data-tip={withKey(t("Show all"), "view.fit")}
        onClick={() => showNodes(editor, flow, store.getState(), editor.tab.selected)}
      >
        <Maximize size={14} aria-hidden />
      </button>
    </div>
  );
}
