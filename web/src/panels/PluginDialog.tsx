/** The page of a plugin's command, in a dialog. */
import { useExtensions } from "../state/catalog/extensions";
import { Dialog } from "./Dialog";

export function PluginDialog() {
  const open = useExtensions((state) => state.open);
  const Command = useExtensions((state) => state.Command);
  if (open === null || Command === null) return null;
  return (
    <Dialog title={open.title} onClose={() => useExtensions.setState({ open: null })}>
      <Command command={open} />
    </Dialog>
  );
}
