/** The tools of the mask editor, and its keyboard shortcuts. */
import { Brush, Eraser, Hand, PaintBucket } from "lucide-react";
import type { KeyboardEvent } from "react";
import type { Choices, MaskStage, Tool } from "./MaskStage";
import { invert } from "./raster";

/** Each tool with its title, its icon and its key. */
export const TOOLS: readonly [Tool, string, typeof Brush, string][] = [
  ["brush", "Brush", Brush, "B"],
  ["eraser", "Eraser", Eraser, "E"],
  ["fill", "Fill similar colours", PaintBucket, "G"],
  ["hand", "Move the image", Hand, "H"],
];
/** The largest brush, in pixels of the image. */
export const LARGEST = 512;

/**
 * Handles the keys of the image. They also work while a control has the focus that does not use
 * them itself. Other keys are ignored.
 */
export function handleKey(
  event: KeyboardEvent,
  stage: MaskStage | null,
  choices: Choices,
  choose: (changed: Partial<Choices>) => void,
): void {
  if (stage === null) return;
  const onPicture =
    event.target instanceof HTMLElement && event.target.getAttribute("role") === "application";
  const reach = Math.max(1, Math.round(choices.size / 4));
  const steps: Readonly<Record<string, readonly [number, number]>> = {
    ArrowLeft: [-reach, 0],
    ArrowRight: [reach, 0],
    ArrowUp: [0, -reach],
    ArrowDown: [0, reach],
  };
  const step = onPicture ? steps[event.key] : undefined;
  const letter = event.key.toLowerCase();
  const tool = TOOLS.find(([, , , key]) => key.toLowerCase() === letter);
  // Ctrl with Alt is AltGr, which types characters.
  const isCommand = (event.ctrlKey || event.metaKey) && !event.altKey;
  if (isCommand && letter === "z") event.shiftKey ? stage.redo() : stage.undo();
  else if (isCommand && letter === "y") stage.redo();
  else if (isCommand) return;
  else if (step !== undefined) stage.step(step[0], step[1], event.shiftKey);
  else if (event.key === "Enter" && onPicture) stage.act();
  else if (event.key === " " && onPicture) stage.hold(true);
  else if (event.key === "[") choose({ size: Math.max(1, Math.round(choices.size / 1.25)) });
  else if (event.key === "]") {
    choose({ size: Math.min(LARGEST, Math.round(choices.size * 1.25) + 1) });
  } else if (event.key === "+" || event.key === "=") stage.zoomBy(1.25);
  else if (event.key === "-") stage.zoomBy(0.8);
  else if (event.key === "0") stage.fit();
  else if (letter === "i") void stage.change(invert);
  else if (tool !== undefined) choose({ tool: tool[0] });
  else return;
  event.preventDefault();
  event.stopPropagation();
}
