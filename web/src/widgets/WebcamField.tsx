/** A picture of the camera: its button turns the camera on, whose picture is uploaded as a file. */
import { Camera } from "lucide-react";
import { type RefObject, useEffect, useRef, useState } from "react";
import { t } from "../words/words";
import { type DrawnProps, DrawnState } from "./PaintingField";
import { Popup } from "./Popup";
import { type CameraServices, useFieldServices } from "./services";

export function WebcamField({ label, input, value, media, onDone }: DrawnProps) {
  const { fileUrl } = useFieldServices();
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
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
        <span className="value">
          {fileUrl(input, value) === null ? t("No picture yet") : t("Taken")}
        </span>
        <Camera size={12} aria-hidden />
      </button>
      <DrawnState media={media} />
      {open && button.current !== null && (
        <Popup anchor={button.current} label={label} className="painting-popup" onClose={close}>
          <Viewfinder
            onTaken={(file) => {
              media?.onFile(file);
              close();
            }}
          />
        </Popup>
      )}
    </div>
  );
}

/** What the camera sees, and the button that takes the picture; or why there is no camera. */
function Viewfinder({ onTaken }: { onTaken: (file: File) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const { found, failure, setFailure, again } = useCamera(video);
  const take = async () => {
    if (found === null || video.current === null) return;
    try {
      onTaken(await found.pictureOf(video.current));
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  };
  if (failure !== null) {
    return (
      <div className="painting">
        <p className="bring-error" role="alert">
          {failure}
        </p>
        <button type="button" className="primary" onClick={again}>
          {t("Try again")}
        </button>
      </div>
    );
  }
  return (
    <div className="painting">
      <video ref={video} className="viewfinder" muted playsInline aria-label={t("The camera")} />
      <button
        type="button"
        className="primary"
        disabled={found === null}
        onClick={() => void take()}
      >
        {t("Take the picture")}
      </button>
    </div>
  );
}

/** Turns the camera on while the element is shown; `failure` says why there is no picture. */
function useCamera(video: RefObject<HTMLVideoElement | null>) {
  const { camera } = useFieldServices();
  const [found, setFound] = useState<CameraServices | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt turns it on again
  useEffect(() => {
    let ended = false;
    let stop: () => void = () => undefined;
    const begin = async () => {
      const services = await camera();
      const stream = await services.openCamera();
      stop = () => services.closeCamera(stream);
      if (ended || video.current === null) {
        stop();
        return;
      }
      video.current.srcObject = stream;
      await video.current.play();
      setFound(services);
    };
    const fail = (error: unknown) => {
      if (!ended) setFailure(error instanceof Error ? error.message : String(error));
    };
    begin().catch(fail);
    return () => {
      ended = true;
      stop();
    };
  }, [camera, attempt]);
  const again = () => {
    setFailure(null);
    setAttempt(attempt + 1);
  };
  return { found, failure, setFailure, again };
}
