/**
 * The choice of what dragging on the empty canvas does: select by a box or a lasso, or move the
 * view.
 */
import { Hand, Lasso, type LucideIcon, MousePointer2 } from "lucide-react";
import { withKey } from "../state/commands/keymap";
import type { Tool } from "../state/editing/arranging";
import { changeSetting, useSetting } from "../state/session/settings";
import { t } from "../words/words";

export function ToolBar() {
  return (
    <>
      <Choice tool="select" label={t("Select tool")} icon={MousePointer2} />
      <Choice tool="lasso" label={t("Lasso tool")} icon={Lasso} />
      <Choice tool="hand" label={t("Hand tool")} icon={Hand} />
      <hr />
    </>
  );
}

function Choice({ tool, label, icon: Icon }: { tool: Tool; label: string; icon: LucideIcon }) {
  const chosen = useSetting("calotype.drag") === tool;
  return (
    <button
      type="button"
      aria-label={label}
      aria-pressed={chosen}
      data-tip={withKey(label, `tool.${tool}`)}
      onClick={() => changeSetting("calotype.drag", tool)}
    >
      <Icon size={14} aria-hidden />
    </button>
  );
}
