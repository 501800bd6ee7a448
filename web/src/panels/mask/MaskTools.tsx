/** The controls beside the image in the mask editor: tools, their settings, feathering, undo. */
import { Contrast, Maximize, Redo2, Trash2, Undo2, ZoomIn, ZoomOut } from "lucide-react";
import { IconButton } from "../../widgets/IconButton";
import { t } from "../../words/words";
import type { Choices, MaskStage } from "./MaskStage";
import { clear, feather, invert } from "./raster";
import { LARGEST, TOOLS } from "./tools";

interface ToolsProps {
  choices: Choices;
  choose: (changed: Partial<Choices>) => void;
  stage: MaskStage | null;
  radius: number;
  setRadius: (radius: number) => void;
}

export function MaskTools({ choices, choose, stage, radius, setRadius }: ToolsProps) {
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
      <ToolSettings choices={choices} choose={choose} />
      <hr />
      <Softening stage={stage} radius={radius} setRadius={setRadius} />
      <hr />
      <Steps stage={stage} />
    </div>
  );
}

function ToolSettings({ choices, choose }: Pick<ToolsProps, "choices" | "choose">) {
  const isBrush = choices.tool === "brush" || choices.tool === "eraser";
  return (
    <>
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
    </>
  );
}

function Softening({ stage, radius, setRadius }: Omit<ToolsProps, "choices" | "choose">) {
  return (
    <>
      <Slider
        title={t("Feather radius, pixels")}
        value={radius}
        least={1}
        most={128}
        onChange={setRadius}
      />
      <button
        type="button"
        className="plain"
        onClick={() => void stage?.change((change) => feather(change, radius))}
      >
        {t("Feather")}
      </button>
      <button type="button" className="plain" onClick={() => void stage?.change(invert)}>
        <Contrast size={14} aria-hidden /> {t("Invert")}
      </button>
      <button type="button" className="plain" onClick={() => void stage?.change(clear)}>
        <Trash2 size={14} aria-hidden /> {t("Clear")}
      </button>
    </>
  );
}

function Steps({ stage }: Pick<ToolsProps, "stage">) {
  return (
    <div className="mask-row">
      <IconButton
        label={t("Undo")}
        icon={Undo2}
        disabled={stage?.history.canUndo !== true || stage.isWorking}
        onClick={() => stage?.undo()}
      />
      <IconButton
        label={t("Redo")}
        icon={Redo2}
        disabled={stage?.history.canRedo !== true || stage.isWorking}
        onClick={() => stage?.redo()}
      />
      <IconButton label={t("Zoom out")} icon={ZoomOut} onClick={() => stage?.zoomBy(0.8)} />
      <IconButton label={t("Zoom in")} icon={ZoomIn} onClick={() => stage?.zoomBy(1.25)} />
      <IconButton label={t("Show all")} icon={Maximize} onClick={() => stage?.fit()} />
    </div>
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
