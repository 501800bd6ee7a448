/** The rail at the side: buttons for panels. */
import {
  Blocks,
  Boxes,
  CircleHelp,
  FolderOpen,
  LibraryBig,
  ListTree,
  type LucideIcon,
  Plus,
} from "lucide-react";
import { withKey } from "../state/commands/keymap";
import { runCommand } from "../state/session/commandRegistry";
import { useView } from "../state/session/view";
import { t } from "../words/words";

export function Rail() {
  const outline = useView((state) => state.outline);
  const workflows = useView((state) => state.workflows);
  const models = useView((state) => state.models);
  const library = useView((state) => state.library);
  return (
    <nav className="rail" aria-label={t("Panels")}>
      <Item label={t("Add a node")} icon={Plus} command="graph.add" />
      <Item label={t("Node library")} icon={LibraryBig} command="view.library" pressed={library} />
      <Item label={t("Workflows")} icon={FolderOpen} command="file.open" pressed={workflows} />
      <Item label={t("Models")} icon={Boxes} command="view.models" pressed={models} />
      <Item label={t("Outline")} icon={ListTree} command="view.outline" pressed={outline} />
      <Item label={t("Packs of nodes")} icon={Blocks} command="view.packs" />
      <span className="space" />
      <Item label={t("Keys")} icon={CircleHelp} command="help.keys" />
    </nav>
  );
}

interface ItemProps {
  label: string;
  icon: LucideIcon;
  command: string;
  pressed?: boolean;
}

function Item({ label, icon: Icon, command, pressed }: ItemProps) {
  return (
    <button
      type="button"
      aria-label={label}
      aria-pressed={pressed}
      data-tip={withKey(label, command)}
      onClick={() => runCommand(command)}
    >
      <Icon size={18} aria-hidden />
    </button>
  );
}
