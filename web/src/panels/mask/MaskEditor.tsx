/** Painting the mask of a picture: brush, eraser, fill, softening, all by pointer or by keys. */
import {
  Brush,
  Contrast,
  Eraser,
  Hand,
  Maximize,
  PaintBucket,
  Redo2,
  Trash2,
  Undo2,
  ZoomIn,
  ZoomOut,
} from "lucide-react";
import { type KeyboardEvent, useEffect, useReducer, useRef, useState } from "react";
import { type Masked, opacityUrl, pictureUrl, saveMask, useMasking } from "../../state/masking";
import { tellError, wordsOf } from "../../state/view";
import { t } from "../../words/words";
import { Dialog } from "../Dialog";
import { type Choices, MaskStage, maskOf, pngOf, type Tool } from "./MaskStage";
import { clear, feather, invert } from "./raster";
import "./mask.css";
import { percent } from "../../words/format";

const TOOLS: readonly [Tool, string, typeof Brush, string][] = [
  ["brush", "Brush", Brush, "B"],
  ["eraser", "Eraser", Eraser, "E"],
  ["fill", "Fill what looks alike", PaintBucket, "G"],
  ["hand", "Move the picture", Hand, "H"],
];
const START: Choices = { tool: "brush", size: 24, hardness: 0.8, tolerance: 24 };
const LARGEST = 512;

export function MaskEditor() {
  const open = useMasking((state) => state.open);
  return open === null ? null : <Editor key={pictureUrl(open)} masked={open} />;
}

async function pictureAt(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch (error) {
    throw new Error(t("The picture cannot be read. It may have been moved or deleted."), {
      cause: error,
    });
  }
  return image;
}

function Editor({ masked }: { masked: Masked }) {
  const box = useRef<HTMLDivElement>(null);
  const stage = useRef<MaskStage | null>(null);
  const [choices, setChoices] = useState(START);
  const [radius, setRadius] = useState(8);
  const [saving, setSaving] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const [, draw] = useReducer((count: number) => count + 1, 0);
  const latest = useRef(choices);
  useEffect(() => {
    latest.current = choices;
  }, [choices]);

  useEffect(() => {
    let ended = false;
    const begin = async () => {
      const [picture, opacity] = await Promise.all([
        pictureAt(pictureUrl(masked)),
        pictureAt(opacityUrl(masked)),
      ]);
      if (ended || box.current === null) return;
      const style = getComputedStyle(document.documentElement);
      stage.current = new MaskStage({
        container: box.current,
        picture,
        mask: maskOf(opacity, picture.naturalWidth, picture.naturalHeight),
        choices: () => latest.current,
        colour: style.getPropertyValue("--error").trim(),
        onChange: draw,
      });
      draw();
    };
    begin().catch((error: unknown) => {
      setFailure(wordsOf(error));
    });
    const resized = new ResizeObserver(() => stage.current?.resize());
    if (box.current !== null) resized.observe(box.current);
    return () => {
      ended = true;
      resized.disconnect();
      stage.current?.destroy();
      stage.current = null;
    };
  }, [masked]);

  const close = () => {
    const isDirty = stage.current?.history.canUndo === true;
    if (isDirty && !window.confirm(t("Close without keeping the mask?"))) return;
    useMasking.setState({ open: null });
  };
  const save = async () => {
    if (stage.current === null) return;
    setSaving(true);
    try {
      await saveMask(masked, await pngOf(stage.current.mask));
    } catch (error) {
      tellError(error);
      setFailure(wordsOf(error));
      setSaving(false);
    }
  };
  const choose = (changed: Partial<Choices>) => setChoices((before) => ({ ...before, ...changed }));
  return (
    <Dialog
      title={t("Mask")}
      width="full"
      onClose={close}
      actions={
        <>
          <p className="mask-state" role="status">
            {failure ??
              (stage.current === null ? t("The picture is being read.") : stateOf(stage.current))}
          </p>
          <button type="button" className="plain" onClick={close}>
            {t("Cancel")}
          </button>
          <button
            type="button"
            className="primary"
            disabled={saving || stage.current === null}
            onClick={() => void save()}
          >
            {t("Keep the mask")}
          </button>
        </>
      }
    >
      <div className="mask-editor">
        <Tools
          choices={choices}
          choose={choose}
          stage={stage.current}
          radius={radius}
          setRadius={setRadius}
        />
        <div
          ref={box}
          className={`mask-stage ${choices.tool}`}
          role="application"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: keys paint here, as the label says
          tabIndex={0}
          aria-label={t(
            "The picture. Arrows move the brush, with Shift they paint, Enter acts; brackets change the size.",
          )}
          onKeyDown={(event) => hear(event, stage.current, choices, choose)}
        />
      </div>
    </Dialog>
  );
}

function stateOf(stage: MaskStage): string {
  const { data, width, height } = stage.mask;
  let sum = 0;
  for (const value of data) sum += value;
  return t("{{width}} x {{height}} pixels, {{percent}} masked, shown at {{zoom}}", {
    width,
    height,
    percent: percent(sum / 255 / data.length, 1),
    zoom: percent(stage.zoom),
  });
}

/** Keys of the picture; whatever is not one of them is left alone. */
function hear(
  event: KeyboardEvent,
  stage: MaskStage | null,
  choices: Choices,
  choose: (changed: Partial<Choices>) => void,
): void {
  if (stage === null) return;
  const reach = Math.max(1, Math.round(choices.size / 4));
  const steps: Readonly<Record<string, readonly [number, number]>> = {
    ArrowLeft: [-reach, 0],
    ArrowRight: [reach, 0],
    ArrowUp: [0, -reach],
    ArrowDown: [0, reach],
  };
  const step = steps[event.key];
  const letter = event.key.toLowerCase();
  const tool = TOOLS.find(([, , , key]) => key.toLowerCase() === letter);
  const isCommand = event.ctrlKey || event.metaKey;
  if (isCommand && letter === "z") event.shiftKey ? stage.redo() : stage.undo();
  else if (isCommand && letter === "y") stage.redo();
  else if (isCommand) return;
  else if (step !== undefined) stage.step(step[0], step[1], event.shiftKey);
  else if (event.key === "Enter" || event.key === " ") stage.act();
  else if (event.key === "[") choose({ size: Math.max(1, Math.round(choices.size / 1.25)) });
  else if (event.key === "]") {
    choose({ size: Math.min(LARGEST, Math.round(choices.size * 1.25) + 1) });
  } else if (event.key === "+" || event.key === "=") stage.zoomBy(1.25);
  else if (event.key === "-") stage.zoomBy(0.8);
  else if (event.key === "0") stage.fit();
  else if (letter === "i") stage.change(invert);
  else if (tool !== undefined) choose({ tool: tool[0] });
  else return;
  event.preventDefault();
  event.stopPropagation();
}

interface ToolsProps {
  choices: Choices;
  choose: (changed: Partial<Choices>) => void;
  stage: MaskStage | null;
  radius: number;
  setRadius: (radius: number) => void;
}

function Tools({ choices, choose, stage, radius, setRadius }: ToolsProps) {
  const isBrush = choices.tool === "brush" || choices.tool === "eraser";
  return (
    <div className="mask-tools">
      <div role="radiogroup" aria-label={t("Tool")} className="mask-row">
        {TOOLS.map(([tool, title, Icon, key]) => (
          <label key={tool} title={`${t(title)}  ${key}`}>
            <input
              type="radio"
              name="mask-tool"
              checked={choices.tool === tool}
              aria-label={t(title)}
              onChange={() => choose({ tool })}
            />
            <Icon size={16} aria-hidden />
          </label>
        ))}
      </div>
      {isBrush && (
        <>
          <Slider
            title={t("Size")}
            value={choices.size}
            least={1}
            most={LARGEST}
            onChange={(size) => choose({ size })}
          />
          <Slider
            title={t("Hardness, %")}
            value={Math.round(choices.hardness * 100)}
            least={0}
            most={100}
            onChange={(percent) => choose({ hardness: percent / 100 })}
          />
        </>
      )}
      {choices.tool === "fill" && (
        <Slider
          title={t("Tolerance")}
          value={choices.tolerance}
          least={0}
          most={255}
          onChange={(tolerance) => choose({ tolerance })}
        />
      )}
      <hr />
      <Slider
        title={t("Feather by, pixels")}
        value={radius}
        least={1}
        most={128}
        onChange={setRadius}
      />
      <button
        type="button"
        className="plain"
        onClick={() => stage?.change((mask) => feather(mask, radius))}
      >
        {t("Feather")}
      </button>
      <button type="button" className="plain" onClick={() => stage?.change(invert)}>
        <Contrast size={14} aria-hidden /> {t("Invert")}
      </button>
      <button type="button" className="plain" onClick={() => stage?.change((mask) => clear(mask))}>
        <Trash2 size={14} aria-hidden /> {t("Clear")}
      </button>
      <hr />
      <div className="mask-row">
        <IconButton
          title={t("Undo")}
          icon={Undo2}
          disabled={stage?.history.canUndo !== true}
          onClick={() => stage?.undo()}
        />
        <IconButton
          title={t("Redo")}
          icon={Redo2}
          disabled={stage?.history.canRedo !== true}
          onClick={() => stage?.redo()}
        />
        <IconButton title={t("Farther")} icon={ZoomOut} onClick={() => stage?.zoomBy(0.8)} />
        <IconButton title={t("Nearer")} icon={ZoomIn} onClick={() => stage?.zoomBy(1.25)} />
        <IconButton title={t("Show all")} icon={Maximize} onClick={() => stage?.fit()} />
      </div>
    </div>
  );
}

interface IconButtonProps {
  title: string;
  icon: typeof Brush;
  disabled?: boolean;
  onClick: () => void;
}

function IconButton({ title, icon: Icon, disabled = false, onClick }: IconButtonProps) {
  return (
    <button
      type="button"
      className="ghost"
      aria-label={title}
      title={title}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon size={15} aria-hidden />
    </button>
  );
}

interface SliderProps {
  title: string;
  value: number;
  least: number;
  most: number;
  onChange: (value: number) => void;
}

function Slider({ title, value, least, most, onChange }: SliderProps) {
  return (
    <label className="mask-slider">
      <span>
        {title} <output>{value}</output>
      </span>
      <input
        type="range"
        min={least}
        max={most}
        value={value}
        onChange={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}
