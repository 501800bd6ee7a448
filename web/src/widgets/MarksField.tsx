/**
 * A box, boxes or points on an image: closed, a summary in one line; opened, the image to draw on.
 * By keyboard the arrows move the focused one, and resize it with Alt.
 */
import { BoxSelect, Crosshair, Plus } from "lucide-react";
import { Suspense, useRef, useState } from "react";
import { t } from "../words/words";
import { type Box, type Marker, marksIn, withMarks } from "./boxes";
import { Popup } from "./Popup";
import { part } from "./part";

const MarksEditor = part(() => import("./MarksEditor").then((all) => all.MarksEditor));

interface Props {
  label: string;
  marker: Marker;
  value: unknown;
  /** The image they belong to, if the editor knows one. */
  picture: string | null;
  onChange: (value: unknown) => void;
  onDone: () => void;
}

export function MarksField({ label, marker, value, picture, onChange, onDone }: Props) {
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const marks = marksIn(value, marker);
  const shown = wordsFor(marks, marker);
  const Icon = marker === "points" ? Crosshair : BoxSelect;
  return (
    <>
      <button
        ref={button}
        type="button"
        className="field combo"
        aria-haspopup="dialog"
        aria-expanded={open}
        onClick={() => setOpen(true)}
      >
        <span className="label">{label}</span>
        <span className="value">{shown}</span>
        <Icon size={12} aria-hidden />
      </button>
      {open && button.current !== null && (
        <Popup
          anchor={button.current}
          label={label}
          className="marks-popup"
          onClose={() => {
            setOpen(false);
            onDone();
          }}
        >
          <Suspense fallback={<div className="marks-editor" aria-busy="true" />}>
            <MarksEditor
              label={label}
              marker={marker}
              marks={marks}
              picture={picture}
              onChange={(next) => onChange(withMarks(value, marker, next))}
              onDone={onDone}
            />
          </Suspense>
          {marker !== "box" && (
            <button
              type="button"
              className="quiet-button"
              onClick={() => onChange(withMarks(value, marker, [...marks, newMark(marker)]))}
            >
              <Plus size={12} aria-hidden />{" "}
              {marker === "points" ? t("Add a point") : t("Add a box")}
            </button>
          )}
        </Popup>
      )}
    </>
  );
}

function newMark(marker: Marker): Box {
  const size = marker === "points" ? 0 : 128;
  return { x: 64, y: 64, width: size, height: size };
}

function wordsFor(marks: readonly Box[], marker: Marker): string {
  const [first] = marks;
  if (marker === "points") return t("{{count}} points", { count: marks.length });
  if (marker === "boxes" || first === undefined)
    return t("{{count}} boxes", { count: marks.length });
  return t("{{width}} × {{height}} at {{x}}, {{y}}", {
    width: first.width,
    height: first.height,
    x: first.x,
    y: first.y,
  });
}
