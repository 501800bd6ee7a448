/** The keys on one sheet. */
import { useView } from "../state/view";

const KEYS: readonly (readonly [string, string])[] = [
  ["Run", "Ctrl Enter"],
  ["Run at the front", "Ctrl Shift Enter"],
  ["Stop", "Ctrl Alt Enter"],
  ["Add a node", "Tab, double-click"],
  ["Undo, redo", "Ctrl Z, Ctrl Shift Z"],
  ["Copy, cut, paste", "Ctrl C, X, V"],
  ["Paste with wires", "Ctrl Shift V"],
  ["Duplicate", "Ctrl D"],
  ["Delete, heal the wires", "Del, Ctrl Del"],
  ["Bypass, mute", "Ctrl B, Ctrl M"],
  ["Collapse", "Alt C"],
  ["Group", "Ctrl G"],
  ["Select all, none", "Ctrl A, Esc"],
  ["Show all", "."],
  ["Save, open", "Ctrl S, Ctrl O"],
  ["New workflow", "Alt N"],
  ["Nudge", "Ctrl arrows"],
  ["Workflows, queue, inspector", "W, Q, I"],
];

export function Shortcuts() {
  const open = useView((state) => state.shortcuts);
  if (!open) return null;
  return (
    <button
      type="button"
      className="veil"
      aria-label="Close the keys"
      onClick={() => useView.setState({ shortcuts: false })}
    >
      <dl className="shortcuts">
        {KEYS.map(([what, keys]) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>{keys}</dd>
          </div>
        ))}
      </dl>
    </button>
  );
}
