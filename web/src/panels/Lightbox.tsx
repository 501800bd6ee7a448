/** A picture in full size. */
import { useView } from "../state/view";

export function Lightbox() {
  const url = useView((state) => state.lightbox);
  if (url === null) return null;
  return (
    <button
      type="button"
      className="lightbox"
      aria-label="Close the picture"
      onClick={() => useView.setState({ lightbox: null })}
    >
      <img src={url} alt="In full size" />
    </button>
  );
}
