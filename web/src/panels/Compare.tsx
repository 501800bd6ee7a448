/** Two images compared: with a slider, side by side, or as their difference. */
import { ArrowLeftRight } from "lucide-react";
import { useState } from "react";
import { viewUrl } from "../api/client";
import { type Side, useLightbox } from "../state/results/lightbox";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import { transformOf, useZoom, WHOLE, type Zoom, type ZoomRoom } from "./zoom";
import "./lightbox.css";

type Mode = "wipe" | "sides" | "difference";
const MODES: readonly Mode[] = ["wipe", "sides", "difference"];

export function Compare() {
  const compared = useLightbox((state) => state.compared);
  return compared === null ? null : <Compared {...compared} />;
}

function Compared({ one, other }: { one: Side; other: Side }) {
  const [mode, setMode] = useState<Mode>("wipe");
  const [edge, setEdge] = useState(50);
  const [strong, setStrong] = useState(false);
  const room = useZoom();
  return (
    <Dialog
      title={t("Two results compared")}
      width="wide"
      onClose={() => useLightbox.setState({ compared: null })}
    >
      <div className="compare">
        <Modes
          mode={mode}
          onMode={setMode}
          strong={strong}
          onStrong={setStrong}
          onWhole={() => room.setZoom(WHOLE)}
          onSwap={() => useLightbox.setState({ compared: { one: other, other: one } })}
        />
        <Stage one={one} other={other} mode={mode} edge={edge} strong={strong} room={room} />
        {mode === "wipe" && (
          <input
            className="wipe"
            type="range"
            min={0}
            max={100}
            value={edge}
            aria-label={t("Position of the divider")}
            onChange={(event) => setEdge(Number(event.currentTarget.value))}
          />
        )}
        <div className="names">
          <span>{one.label}</span>
          <span>{other.label}</span>
        </div>
      </div>
    </Dialog>
  );
}

interface ModesProps {
  mode: Mode;
  onMode: (mode: Mode) => void;
  /** Whether the difference is amplified eight times. */
  strong: boolean;
  onStrong: (strong: boolean) => void;
  onWhole: () => void;
  onSwap: () => void;
}

function Modes({ mode, onMode, strong, onStrong, onWhole, onSwap }: ModesProps) {
  const titles = {
    wipe: t("Slider"),
    sides: t("Side by side"),
    difference: t("Difference"),
  };
  return (
    <div className="modes" role="radiogroup" aria-label={t("Comparison mode")}>
      {MODES.map((each) => (
        // biome-ignore lint/a11y/useSemanticElements: toggle buttons, of which one is pressed
        <button
          key={each}
          type="button"
          role="radio"
          aria-checked={mode === each}
          className="chip"
          onClick={() => onMode(each)}
        >
          {titles[each]}
        </button>
      ))}
      <span className="space" />
      {mode === "difference" && (
        <label className="check">
          <input
            type="checkbox"
            checked={strong}
            onChange={(event) => onStrong(event.currentTarget.checked)}
          />
          {t("Amplify 8 times")}
        </label>
      )}
      <button type="button" className="chip" onClick={onWhole}>
        {t("Fit")}
      </button>
      <button type="button" className="chip" onClick={onSwap}>
        <ArrowLeftRight size={12} aria-hidden />
        {t("Swap")}
      </button>
    </div>
  );
}

interface StageProps {
  one: Side;
  other: Side;
  mode: Mode;
  edge: number;
  strong: boolean;
  room: ZoomRoom;
}

function Stage({ one, other, mode, edge, strong, room }: StageProps) {
  const split = mode === "sides";
  return (
    <div className={`stages ${mode}${strong ? " strong" : ""}`}>
      <div ref={room.box} className="room" data-testid="compare-room" {...room.handlers}>
        <Half side={one} zoom={room.zoom} />
        {!split && (
          <Half
            side={other}
            zoom={room.zoom}
            {...(mode === "wipe" ? { clip: `inset(0 0 0 ${edge}%)` } : {})}
          />
        )}
        {mode === "wipe" && <i className="wipe-edge" style={{ left: `${edge}%` }} />}
      </div>
      {split && (
        <div className="room" {...room.handlers}>
          <Half side={other} zoom={room.zoom} />
        </div>
      )}
    </div>
  );
}

function Half({ side, zoom, clip }: { side: Side; zoom: Zoom; clip?: string }) {
  return (
    <div className="half" style={clip === undefined ? undefined : { clipPath: clip }}>
      <img
        src={viewUrl(side.file)}
        alt={side.label}
        draggable={false}
        className={zoom.scale > 2 ? "pixels" : ""}
        style={{ transform: transformOf(zoom) }}
      />
    </div>
  );
}
