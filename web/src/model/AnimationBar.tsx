/** Below an animated model: which animation, its playback, and its time. */
import { Pause, Play } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { amount } from "../words/format";
import { t } from "../words/words";
import type { Stage } from "./stage";
import type { ModelView, Pose } from "./view";

const FIRST: Pose = { animation: 0, time: 0 };

interface Props {
  stage: Stage;
  view: ModelView;
  onView: (view: ModelView) => void;
}

/** While it plays, the view stays as it is; where it stops, the moment becomes part of the view. */
export function AnimationBar({ stage, view, onView }: Props) {
  const { animation } = stage.scene;
  const { pose, playing, play } = usePlayback(stage, view.pose ?? FIRST);
  const duration = animation.durationOf(pose.animation);
  const rest = (next: Pose) => {
    play(false);
    onView({ ...view, pose: next });
  };
  const word = playing ? t("Pause") : t("Play");
  const Sign = playing ? Pause : Play;
  return (
    <div className="model-bar">
      <button
        type="button"
        aria-label={word}
        title={word}
        onClick={() => (playing ? rest(pose) : play(true))}
      >
        <Sign size={13} aria-hidden />
      </button>
      {animation.names.length > 1 && (
        <select
          aria-label={t("Animation")}
          value={pose.animation}
          onChange={(event) => rest({ animation: Number(event.target.value), time: 0 })}
        >
          {animation.names.map((name, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: names may be equal, and do not move
            <option key={index} value={index}>
              {name || index + 1}
            </option>
          ))}
        </select>
      )}
      <input
        type="range"
        aria-label={t("Time")}
        min={0}
        max={duration}
        step="any"
        value={Math.min(pose.time, duration)}
        onChange={(event) => rest({ ...pose, time: Number(event.target.value) })}
      />
      <span>{t("{{number}} s", { number: amount(pose.time, 1) })}</span>
    </div>
  );
}

/** Draws moment after moment while it plays, and nothing while it rests. */
function usePlayback(stage: Stage, rest: Pose) {
  const [moving, setMoving] = useState<Pose | null>(null);
  const start = useRef(rest);
  start.current = rest;
  const playing = moving !== null;
  useEffect(() => {
    if (!playing) return;
    const { animation } = start.current;
    let { time } = start.current;
    const duration = stage.scene.animation.durationOf(animation) || 1;
    let before = performance.now();
    let frame = 0;
    const step = (at: number) => {
      time = (time + Math.max(at - before, 0) / 1000) % duration;
      before = at;
      stage.pose({ animation, time });
      setMoving({ animation, time });
      frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [playing, stage]);
  return {
    pose: moving ?? rest,
    playing,
    play: (begins: boolean) => setMoving(begins ? rest : null),
  };
}
