/** The mask editor: brush, eraser, fill and feathering, by pointer or keyboard. */
import { useEffect, useReducer, useRef, useState } from "react";
import { create } from "zustand";
import {
  type MaskTarget,
  opacityUrl,
  pictureUrl,
  saveMask,
  useMasking,
} from "../../state/fields/masking";
import { askConfirmation } from "../../state/session/ask";
import { errorText, notifyError } from "../../state/session/view";
import { percent } from "../../words/format";
import { t } from "../../words/words";
import { Dialog } from "../Dialog";
import { type Choices, MaskStage } from "./MaskStage";
import { MaskTools } from "./MaskTools";
import { pngOf } from "./png";
import { maskOf } from "./reading";
import { handleKey, LARGEST } from "./tools";
import "./mask.css";

const START: Choices = { tool: "brush", size: 24, hardness: 0.8, tolerance: 24 };
/** The default size of the brush, as a share of the shorter side of the image. */
const SHARE = 1 / 16;

/**
 * Choices made for one image also hold for the next one, until the page is closed; the tool does
 * not.
 */
const useChosen = create<Partial<Choices>>(() => ({}));

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
    throw new Error(t("The image cannot be read. It may have been moved or deleted."), {
      cause: error,
    });
  }
  return image;
}

function askWhetherToDrop(): Promise<boolean> {
  return askConfirmation(
    t("Close without saving the mask?"),
    t("Changes to the mask since the editor opened are lost."),
    t("Close without saving"),
  );
}

interface Heard {
  onFailure: (words: string | null) => void;
  /** Reports the length of the shorter side of the image, in pixels. */
  onRead: (side: number) => void;
}

/** Creates the stage in a box while the editor is open; null until the image is loaded. */
function useStage(masked: MaskTarget, choices: Choices, { onFailure, onRead }: Heard) {
  const box = useRef<HTMLDivElement>(null);
  const stage = useRef<MaskStage | null>(null);
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
      const mask = await maskOf(opacity, picture.naturalWidth, picture.naturalHeight);
      if (ended || box.current === null) return;
      const style = getComputedStyle(document.documentElement);
      stage.current = new MaskStage({
        container: box.current,
        picture,
        mask,
        choices: () => latest.current,
        colour: style.getPropertyValue("--error").trim(),
        onChange: () => {
          // An earlier failure no longer applies.
          onFailure(null);
          draw();
        },
        onFailure: (error) => onFailure(errorText(error)),
      });
      onRead(Math.min(picture.naturalWidth, picture.naturalHeight));
      draw();
      // The editor is opened to paint, so its keys work at once.
      box.current.focus();
    };
    begin().catch((error: unknown) => onFailure(errorText(error)));
    const resized = new ResizeObserver(() => stage.current?.resize());
    if (box.current !== null) resized.observe(box.current);
    return () => {
      ended = true;
      resized.disconnect();
      stage.current?.destroy();
      stage.current = null;
    };
  }, [masked, onFailure, onRead]);
  return { box, stage };
}

/**
 * The tools' settings; the default brush size is set once the shorter side of the image is known.
 */
function useChoices() {
  const chosen = useChosen();
  const [tool, setTool] = useState(START.tool);
  const [side, setSide] = useState<number | null>(null);
  const size =
    side === null ? START.size : Math.min(Math.max(1, Math.round(side * SHARE)), LARGEST);
  const choices: Choices = { ...START, size, ...chosen, tool };
  const choose = ({ tool: taken, ...changed }: Partial<Choices>) => {
    if (taken !== undefined) setTool(taken);
    useChosen.setState(changed);
  };
  return { choices, choose, setSide };
}

function Editor({ masked }: { masked: MaskTarget }) {
  const { choices, choose, setSide } = useChoices();
  const [radius, setRadius] = useState(8);
  const [failure, setFailure] = useState<string | null>(null);
  const { box, stage } = useStage(masked, choices, { onFailure: setFailure, onRead: setSide });
  const close = async () => {
    if (stage.current?.history.canUndo === true && !(await askWhetherToDrop())) return;
    useMasking.setState({ open: null });
  };
  const state =
    failure ?? (stage.current === null ? t("The image is loading.") : stateOf(stage.current));
  return (
    <Dialog
      title={t("Mask")}
      width="full"
      onClose={() => void close()}
      actions={
        <>
          <p className="mask-state" role="status">
            {state}
          </p>
          <button type="button" className="plain" onClick={() => void close()}>
            {t("Cancel")}
          </button>
          <KeepButton masked={masked} stage={stage.current} onFailure={setFailure} />
        </>
      }
    >
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the keys of the image also work on its tools */}
      <div
        className="mask-editor"
        aria-busy={stage.current?.isWorking === true}
        onKeyDown={(event) => handleKey(event, stage.current, choices, choose)}
        onKeyUp={(event) => {
          if (event.key === " ") stage.current?.hold(false);
        }}
      >
        <MaskTools
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
          // biome-ignore lint/a11y/noNoninteractiveTabindex: painting by keyboard needs the focus here
          tabIndex={0}
          aria-label={t(
            "The image. Arrow keys move the brush, and paint with Shift; Enter applies the tool; brackets change the size.",
          )}
          onBlur={() => stage.current?.hold(false)}
        />
      </div>
    </Dialog>
  );
}

interface KeepProps {
  masked: MaskTarget;
  stage: MaskStage | null;
  onFailure: (words: string | null) => void;
}

function KeepButton({ masked, stage, onFailure }: KeepProps) {
  const [saving, setSaving] = useState(false);
  const save = async () => {
    if (stage === null) return;
    setSaving(true);
    onFailure(null);
    try {
      await saveMask(masked, await pngOf(stage.mask));
    } catch (error) {
      notifyError(error);
      onFailure(errorText(error));
      setSaving(false);
    }
  };
  return (
    <button
      type="button"
      className="primary"
      disabled={saving || stage === null || stage.isWorking}
      onClick={() => void save()}
    >
      {t("Save the mask")}
    </button>
  );
}

function stateOf(stage: MaskStage): string {
  if (stage.isWorking) return t("The mask is being changed.");
  const { width, height } = stage.mask;
  return t("{{width}} x {{height}} pixels, {{percent}} masked, shown at {{zoom}}", {
    width,
    height,
    percent: percent(stage.share, 1),
    zoom: percent(stage.zoom),
  });
}
