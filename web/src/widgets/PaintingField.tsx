/** A painting on an image: its button opens the canvas, whose result is uploaded as a file. */
import { Brush } from "lucide-react";
import { Suspense, useRef, useState } from "react";
import type { InputSchema } from "../api/types";
import { percent } from "../words/format";
import { t } from "../words/words";
import type { MediaAct } from "./MediaField";
import { Popup } from "./Popup";
import { part } from "./part";
import { useFieldServices } from "./services";

const PaintingEditor = part(() => import("./PaintingEditor").then((all) => all.PaintingEditor));

export interface DrawnProps {
  label: string;
  input: InputSchema;
  value: unknown;
  /** The image that it is painted on, if the editor knows one. */
  picture: string | null;
  /** The other values of the node. */
  values: Readonly<Record<string, unknown>>;
  media: MediaAct | undefined;
  onChange: (value: unknown) => void;
  onDone: () => void;
}

const SIDE = 512;

export function PaintingField(props: DrawnProps) {
  const { label, input, value, picture, values, media, onChange, onDone } = props;
  const { fileUrl } = useFieldServices();
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const painted = fileUrl(input, value);
  const close = () => {
    setOpen(false);
    onDone();
  };
  return (
    <div className="media">
      <button
        ref={button}
        type="button"
        className="field combo"
        aria-haspopup="dialog"
        aria-expanded={open}
        disabled={media === undefined}
        onClick={() => setOpen(true)}
      >
        <span className="label">{label}</span>
        <span className="value">{painted === null ? t("Nothing painted yet") : t("Painted")}</span>
        <Brush size={12} aria-hidden />
      </button>
      <DrawnState media={media} />
      {open && button.current !== null && (
        <Popup anchor={button.current} label={label} className="painting-popup" onClose={close}>
          <Suspense fallback={<div className="painting" aria-busy="true" />}>
            <PaintingEditor
              painted={painted}
              picture={picture}
              size={{ width: sideOf(values.width), height: sideOf(values.height) }}
              background={typeof values.bg_color === "string" ? values.bg_color : "#000000"}
              onPainted={(file) => {
                if (file === null) onChange("");
                else media?.onFile(file);
              }}
              onClose={close}
            />
          </Suspense>
        </Popup>
      )}
    </div>
  );
}

/** The upload, while it runs or after it failed. */
export function DrawnState({ media }: { media: MediaAct | undefined }) {
  return (
    <>
      {typeof media?.progress === "number" && (
        <p className="drawn-state" role="status">
          {t("Uploading the file")}: {percent(media.progress)}
        </p>
      )}
      {media?.error != null && (
        <p className="bring-error" role="alert">
          {media.error}
        </p>
      )}
    </>
  );
}

function sideOf(value: unknown): number {
  const side = Number(value ?? SIDE);
  return Number.isFinite(side) && side >= 1 ? Math.round(side) : SIDE;
}
