/** Two images on top of each other, and a slider for where one ends. */
import { useState } from "react";
import { t } from "../words/words";
import "./wipe.css";

interface Props {
  one: string;
  other: string;
  onOpen: (url: string, pressed: Element) => void;
}

export function Wipe({ one, other, onOpen }: Props) {
  const [edge, setEdge] = useState(50);
  return (
    <div className="wipe-pair nodrag">
      <button
        type="button"
        className="wipe-room"
        aria-label={t("View at full size")}
        onClick={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          // A click by keyboard has no position, and means the first image.
          const share = event.detail === 0 ? 0 : ((event.clientX - box.left) / box.width) * 100;
          onOpen(share <= edge ? one : other, event.currentTarget);
        }}
      >
        <img src={one} alt="" draggable={false} loading="lazy" />
        <img
          src={other}
          alt=""
          draggable={false}
          loading="lazy"
          style={{ clipPath: `inset(0 0 0 ${edge}%)` }}
        />
        <i style={{ left: `${edge}%` }} />
      </button>
      <input
        type="range"
        className="nodrag nopan"
        min={0}
        max={100}
        value={edge}
        aria-label={t("Position of the divider")}
        onChange={(event) => setEdge(Number(event.currentTarget.value))}
      />
    </div>
  );
}
