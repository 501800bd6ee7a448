/** Key presets of other node editors; commands that are not named here keep their default keys. */

type Keys = Readonly<Record<string, readonly string[]>>;

export const PRESETS: Readonly<Record<string, Keys>> = {
  comfyui: {},
  blender: {
    "graph.add": ["Shift+A", "Tab"],
    "graph.group": ["Ctrl+J", "Ctrl+G"],
    "node.mute": ["M", "Ctrl+M"],
    "node.collapse": ["H", "Alt+C"],
    "edit.delete": ["X", "Delete"],
    "edit.deleteAndHeal": ["Ctrl+X", "Ctrl+Delete"],
    "edit.duplicate": ["Shift+D", "Ctrl+D"],
    "edit.selectAll": ["A", "Ctrl+A"],
    "edit.selectNone": ["Alt+A", "Escape"],
    "view.commands": ["F3", "Ctrl+K"],
    "view.fit": ["Home", "."],
    "view.inspector": ["N", "I"],
  },
  nuke: {
    "graph.add": ["Tab"],
    "node.bypass": ["D", "Ctrl+B"],
    "edit.duplicate": ["Alt+C", "Ctrl+D"],
    "node.collapse": ["Alt+H"],
    "edit.deleteAndHeal": ["Ctrl+Shift+X", "Ctrl+Delete"],
    "view.fit": ["F", "."],
    "view.commands": ["X", "Ctrl+K"],
    "view.inspector": ["P", "I"],
  },
};
